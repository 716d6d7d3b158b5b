import { describe, expect, it } from 'vitest';
import { type Figure, renderFigure, type Series } from '../../../scripts/plots/figure.js';

function figure(...series: Series[]): Figure {
  const panels = [{ title: 'value', height: 100, series }];
  return { title: 'A < B', subtitle: '', from: 100, to: 200, panels, moments: [] };
}

const PATH = /<path class="(\w+) blue" d="([^"]*)"\/>/g;

/** The paths of the series, without those of the legend. */
function paths(picture: string): string[] {
  const all = [...picture.matchAll(PATH)].map(([, , d]) => d!);
  return all.slice(all.length / 2);
}

describe('figures', () => {
  it('hold a value until the next, from before what is shown to its end', () => {
    const points = [
      { at: 0, value: 0 },
      { at: 150, value: 100 },
    ];
    const picture = renderFigure(figure({ name: 'x', colour: 'blue', kind: 'step', points }));
    // From the left edge to the middle, up, and on to the right edge.
    expect(paths(picture)).toEqual(['M64 198H473V103.5H882']);
    expect(picture).toContain('A &#60; B');
  });

  it('show what is at one place as one, and nothing beside the time that is shown', () => {
    const points = [
      { at: 50, value: 0, top: 1 },
      { at: 150, value: 0, top: 50 },
      { at: 150.01, value: 50, top: 100 },
      { at: 250, value: 0, top: 1 },
    ];
    const picture = renderFigure(figure({ name: 'x', colour: 'blue', kind: 'bars', points }));
    expect(paths(picture)).toEqual(['M473 198V103.5']);
  });

  it('keep the names of moments apart', () => {
    const moments = [
      { at: 150, text: 'a name that is long' },
      { at: 151, text: 'and another one' },
    ];
    const picture = renderFigure({ ...figure(), moments });
    const y = (text: string): string =>
      picture.match(`y="(\\d+)" text-anchor="middle">${text}`)![1]!;
    expect(y('a name that is long')).not.toBe(y('and another one'));
  });
});
