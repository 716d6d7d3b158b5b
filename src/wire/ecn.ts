/** The two ECN bits of the type-of-service octet (RFC 3168 §5). */
export const ECN_MASK = 0x03;
export const ECT_0 = 0x02;
/** Congestion Experienced. */
export const ECN_CE = 0x03;
