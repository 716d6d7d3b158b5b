export type { Counters, CountersSnapshot } from './base/counters.js';
export type { CaptureOptions, TapOptions } from './link/capture.js';
export { CaptureLink, captureLink } from './link/capture.js';
export type { CaptureFileOptions } from './link/capture-file.js';
export { CaptureFile } from './link/capture-file.js';
export { CaptureRing } from './link/capture-ring.js';
export type { CaptureSink } from './link/capture-sink.js';
export type { DuplexLinkOptions } from './link/duplex.js';
export { DuplexLink, duplexLink } from './link/duplex.js';
export type { FaultChange, FaultsOptions } from './link/faults.js';
export { FaultsLink, faultsLink } from './link/faults.js';
export type { FaultReason, PathCounters } from './link/faults-counters.js';
export type {
  BottleneckQueue,
  GilbertElliott,
  PathFaults,
  Reordering,
} from './link/faults-options.js';
export type { FaultAction, FaultDirection, FaultPacket, FaultRule } from './link/faults-rules.js';
export type { Link, LinkReceiver } from './link/link.js';
export type { MemoryPairOptions } from './link/memory.js';
export { loopbackLink, MemoryLink, memoryPair } from './link/memory.js';
export type { TunCounters, TunDevice, TunOptions, TunProbe } from './link/tun.js';
export { openTun, openTunDevice, probeTun, TunLink } from './link/tun.js';
export type { ConnectArguments, ConnectListener } from './net/connect-options.js';
export { createHost } from './net/create-host.js';
export type { Connect, NetModule } from './net/create-net.js';
export { createNet } from './net/create-net.js';
export { channelName } from './net/diagnostics.js';
export type { SystemError } from './net/errors.js';
export type { ConnectionListener, Server, ServerOptions } from './net/server.js';
export type { Socket } from './net/socket.js';
export type { SocketOptions } from './net/socket-options.js';
export type { StackOptions } from './net/stack.js';
export { Stack } from './net/stack.js';
export { createHttpAgent, createHttpsAgent } from './node/agent.js';
export { connectHttp2 } from './node/http2.js';
export { listen } from './node/listen.js';
export { type Connector, connectTls } from './node/tls.js';
export {
  createUndiciConnector,
  type UndiciCallback,
  type UndiciConnectOptions,
  type UndiciConnector,
  type UndiciConnectorOptions,
} from './node/undici.js';
export type { Alarm, Holder, Runtime } from './runtime/runtime.js';
export { systemRuntime } from './runtime/system.js';
export { VirtualRuntime } from './runtime/virtual.js';
export { conversationsIn } from './stack/captured-conversations.js';
export type {
  Connection,
  ConnectionErrorCode,
  ConnectionHandler,
  ConnectionInfo,
  ConnectOptions,
  Listener,
  ListenerInfo,
  ListenOptions,
  SocketInfo,
  TimerInfo,
  TimeWaitInfo,
  Transport,
} from './stack/connection.js';
export type { Conversation } from './stack/conversation.js';
export { EventTrace, type EventTraceOptions } from './stack/event-trace.js';
export type { FragmentLimits } from './stack/fragments.js';
export type { HostOptions } from './stack/host.js';
export { Host } from './stack/host.js';
export type { LadderOptions } from './stack/ladder.js';
export { LadderPrinter, renderLadder } from './stack/ladder.js';
export { joinLadders } from './stack/ladder-join.js';
export type {
  GapLine,
  LadderLine,
  SegmentLine,
  TimerLine,
  Transition,
  TransitionLine,
} from './stack/ladder-line.js';
export { renderMermaid } from './stack/ladder-mermaid.js';
export type {
  Ladder,
  LadderEnd,
  LadderRow,
  NoteRow,
  SegmentRow,
  Side,
} from './stack/ladder-model.js';
export { ladderOf } from './stack/ladder-model.js';
export type { SvgOptions } from './stack/ladder-svg.js';
export { renderSvg } from './stack/ladder-svg.js';
export type { RecorderOptions } from './stack/recorder.js';
export { Recorder } from './stack/recorder.js';
export type { Shard } from './stack/shard.js';
export {
  describeEvent,
  type EventConnection,
  type EventSegment,
  TRACE_EVENT_TYPES,
  type TraceEvent,
  type TraceEventType,
} from './stack/trace-event.js';
export { Bbr } from './tcp/bbr.js';
export type { SynCookieMode, TcpConfig } from './tcp/config.js';
export type {
  AckSample,
  CongestionControl,
  CongestionControlFactory,
  CongestionState,
  LossSample,
} from './tcp/congestion.js';
export { congestionControlNames, registerCongestionControl } from './tcp/congestion.js';
export { Cubic } from './tcp/cubic.js';
export { Dctcp } from './tcp/dctcp.js';
export type { EcnMode } from './tcp/ecn-mode.js';
export { NewReno } from './tcp/newreno.js';
export type { StateName } from './tcp/state.js';
export type {
  CookieOutcome,
  ListenQueue,
  RetransmitCause,
  TimerAction,
  TimerName,
  Trace,
  Traced,
  TracedTcb,
} from './tcp/trace.js';
export { SilentTrace } from './tcp/trace.js';
export type { PacketFilter } from './wire/filter.js';
export { compileFilter, FilterError } from './wire/filter.js';
export type { ReadPacket } from './wire/pcap-reader.js';
export { readCapture } from './wire/pcap-reader.js';
export type { CapturedPacket, CaptureInterface } from './wire/pcapng.js';
export type { PrinterOptions } from './wire/print.js';
export { LinePrinter } from './wire/print.js';
