/** Every network carries this much (RFC 791 §3.2), and no IPv4 packet is longer than that, in bytes. */
const MIN_MTU = 68;
const MAX_MTU = 65535;

/**
 * The MTU that a link was given, in bytes.
 *
 * @throws RangeError (ERR_OUT_OF_RANGE) unless it is an integer from 68 to 65535
 */
export function checkedMtu(mtu: number): number {
  if (Number.isInteger(mtu) && mtu >= MIN_MTU && mtu <= MAX_MTU) return mtu;
  const message = `The value of "mtu" is out of range. It must be an integer from ${MIN_MTU} to ${MAX_MTU}. Received ${mtu}`;
  throw Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
}
