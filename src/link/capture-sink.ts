import type { CapturedPacket, CaptureInterface } from '../wire/pcapng.js';

/** Where captured packets go: a file, or a ring in memory. Nothing of it ever throws or waits. */
export interface CaptureSink {
  /** False when it takes no more packets: it was closed, or its disk is full. */
  readonly open: boolean;
  /** Returns the number of the interface, for {@link CapturedPacket.iface}. */
  addInterface(iface: CaptureInterface): number;
  /** Takes a copy of the packet, or counts it as lost. */
  packet(packet: CapturedPacket): void;
}

/** The application that a section header names. */
export const APPLICATION = 'tuntcp';
