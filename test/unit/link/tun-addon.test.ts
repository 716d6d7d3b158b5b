import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
  vi.resetModules();
});

describe('without the addon', () => {
  it('the package loads, and opening a device says how to compile it', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'tuntcp-'));
    try {
      vi.resetModules();
      vi.stubEnv('TUNTCP_PREBUILD', empty);
      vi.stubGlobal('process', { ...process, platform: 'linux', env: process.env });
      const { openTun, probeTun } = await import('../../../src/link/tun.js');
      expect(() => openTun()).toThrow(
        expect.objectContaining({
          code: 'ERR_DLOPEN_FAILED',
          message: expect.stringContaining('npm rebuild'),
        }),
      );
      expect(probeTun().device).toBeInstanceOf(Error);
    } finally {
      rmSync(empty, { recursive: true });
    }
  });

  it('another system is told what works there', async () => {
    vi.resetModules();
    vi.stubGlobal('process', { ...process, platform: 'darwin' });
    const { openTun } = await import('../../../src/link/tun.js');
    expect(() => openTun()).toThrow(
      expect.objectContaining({
        code: 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM',
        message: expect.stringContaining('tuntcp/net'),
      }),
    );
  });
});
