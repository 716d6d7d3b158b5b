export async function differential(_seed: number, _count: number, _json: boolean): Promise<number> {
  throw new Error('not yet');
}
