import { diff } from '../../../src/base/seq.js';
import type { Host } from '../../../src/stack/host.js';
import type { HostConnection } from '../../../src/stack/host-connection.js';
import { State, stateName } from '../../../src/tcp/state.js';
import type { Tcb } from '../../../src/tcp/tcb.js';
import { nextDeadline } from '../../../src/tcp/timers.js';
import { Drop, dropName } from '../../../src/wire/drop-reason.js';
import { checkHost } from '../../support/invariants.js';
import type { EmittedPackets } from './emitted.js';
import { must } from './user.js';

/** What holds for a host whenever it has nothing left to do at this instant. */
export function checkSettledHost(host: Host, blocked: boolean): void {
  checkHost(host);
  let count = 0;
  for (const tcb of host.tcbs()) {
    count++;
    must(tcb.state !== State.CLOSED, 'no closed connection is in the table');
    must(!tcb.dirty && tcb.events === 0, 'what happened has been seen to');
    const { config } = host;
    must(
      tcb.sendBuffer.limit <= Math.max(config.sendBufferMax, config.sendBuffer),
      'sendBufferMax',
    );
    must(
      tcb.rcvBufferLimit <= Math.max(config.receiveBufferMax, config.receiveBuffer),
      'receiveBufferMax',
    );
    must(Number.isFinite(tcb.cwnd) && Number.isFinite(tcb.rto), 'cwnd and RTO are numbers');
    must(tcb.rto <= config.rtoMax, `an RTO of ${tcb.rto}`);
    checkTimers(tcb, blocked);
  }
  must(
    count + host.timeWaitCount === host.connectionCount,
    `${count} connections and ${host.timeWaitCount} in TIME_WAIT, not ${host.connectionCount}`,
  );
  must(host.timeWaitCount <= host.config.maxTimeWait, 'maxTimeWait');
}

/** A connection that has something to do has a timer, or waits for the link. */
function checkTimers(tcb: Tcb, blocked: boolean): void {
  const deadline = nextDeadline(tcb);
  const name = stateName(tcb.state);
  must(
    deadline === Infinity || tcb.timer.at <= deadline,
    `a timer in ${name} at ${deadline} is not in the wheel (${tcb.timer.at})`,
  );
  if (tcb.state === State.SYN_SENT || tcb.state === State.SYN_RECEIVED) {
    must(tcb.retransmitAt < Infinity, `${name} has a retransmission timer`);
    return;
  }
  const flight = diff(tcb.sndNxt, tcb.sndUna);
  const finUnsent = tcb.finQueued && diff(tcb.sendEnd, tcb.sndNxt) >= 0;
  const isToSend = flight > 0 || diff(tcb.sendEnd, tcb.sndNxt) > 0 || finUnsent;
  if (isToSend && !blocked) {
    must(
      tcb.retransmitAt < Infinity || tcb.pacing.at < Infinity,
      `${name} has something to send and no timer`,
    );
  }
  if (tcb.lastAckSent !== tcb.rcvNxt && !blocked) {
    must(tcb.delayedAckAt < Infinity, `${name} owes an ACK and has no timer`);
  }
  if (tcb.orphan !== null && tcb.state === State.FIN_WAIT_2) {
    must(tcb.orphan.finWait2At < Infinity, 'FIN_WAIT_2 of an orphan has a timer');
  }
  if (tcb.keepAlive.on && !tcb.synOutstanding) {
    must(tcb.keepAlive.at < Infinity, `keep-alive is on in ${name} and has no timer`);
  }
}

/** What holds for a connection whose user was told that it is over. */
export function checkClosedConnection(connection: HostConnection): void {
  const { tcb } = connection;
  must(nextDeadline(tcb) === Infinity, 'no timer runs on a closed connection');
  must(tcb.timer.at === Infinity, 'a closed connection is in no timer wheel');
  must(tcb.sendBuffer.length === 0 && tcb.sent.length === 0, 'nothing is kept to be sent');
}

/** Every packet that arrived went somewhere, and what was dropped has a reason. */
export function checkAccounts(host: Host, packets: number, emitted: EmittedPackets): void {
  const { counters } = host;
  const { drops } = counters;
  const sum = (from: Drop, to: Drop): number => {
    let all = 0;
    for (let reason = from; reason <= to; reason++) all += drops[reason]!;
    return all;
  };
  equal('packets that arrived', counters.ipInReceives, packets);
  equal(
    'datagrams delivered',
    counters.ipInReceives,
    counters.ipInDelivers +
      sum(Drop.IP_SHORT, Drop.IP_TTL) -
      counters.ipReasmOKs +
      counters.ipReasmReqds,
  );
  must(
    counters.ipInDelivers <= counters.tcpInSegs + counters.icmpInMsgs,
    'what IPv4 delivers, TCP and ICMP count',
  );
  equal(
    'bad segments',
    counters.tcpInErrs,
    drops[Drop.TCP_SHORT]! + drops[Drop.TCP_DATA_OFFSET]! + drops[Drop.TCP_OPTION_LENGTH]!,
  );
  equal('bad checksums', counters.tcpInCsumErrors, drops[Drop.TCP_CHECKSUM]!);
  must(sum(Drop.TCP_SHORT, Drop.TCP_BAD_FLAGS) <= counters.tcpInSegs, 'drops of TCP');
  must(
    sum(Drop.ICMP_SHORT, Drop.ICMP_TYPE) + counters.icmpInEchos <= counters.icmpInMsgs,
    'drops of ICMP',
  );
  must(
    sum(Drop.FRAGMENT_OVERLAP, Drop.FRAGMENT_END) <= counters.ipReasmReqds,
    'drops of fragments',
  );
  equal('drops without a reason', drops[0]!, 0);
  equal('packets sent', counters.ipOutRequests, emitted.packets);
  must(counters.tcpOutRsts <= counters.tcpOutSegs, 'resets are segments');
  const least = counters.tcpOutSegs + counters.tcpRetransSegs + counters.icmpOutMsgs;
  const messages = emitted.packets - emitted.fragments;
  must(least >= messages, `${messages} packets sent, and ${least} segments and messages`);
  for (let reason = 0; reason < drops.length; reason++) {
    must(drops[reason]! >= 0, `${dropName(reason)} is not negative`);
  }
}

function equal(what: string, actual: number, expected: number): void {
  must(actual === expected, `${what}: ${actual}, not ${expected}`);
}

/** The table, the list that `connections()` gives and the users agree. */
export function checkLists(host: Host): void {
  const seen = new Set<string>();
  let connections = 0;
  let timeWaits = 0;
  for (const info of host.connections()) {
    if (info.kind === 'listener') {
      must(info.pending <= info.backlog, `${info.pending} pending of ${info.backlog}`);
      continue;
    }
    const key = `${info.localAddress} ${info.localPort} ${info.remoteAddress} ${info.remotePort}`;
    must(!seen.has(key), `two connections between ${key}`);
    seen.add(key);
    if (info.kind === 'timeWait') timeWaits++;
    else connections++;
  }
  equal('in TIME_WAIT', timeWaits, host.timeWaitCount);
  equal('connections listed', connections + timeWaits, host.connectionCount);
}
