export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export interface Family {
  help: string;
  type: string;
  samples: Sample[];
}

const NAME = /^[a-z][a-z0-9_]*$/;

/**
 * A strict reader of Prometheus' text format, version 0.0.4, for counters and gauges; throws for what
 * the format forbids and for what `promtool check metrics` complains of in names and help texts.
 */
export function readMetrics(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  let help: [string, string] | null = null;
  let current: [string, Family] | null = null;
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  for (const line of text.slice(0, -1).split('\n')) {
    const helped = /^# HELP (\S+) (\S.*)$/.exec(line);
    const typed = /^# TYPE (\S+) (counter|gauge)$/.exec(line);
    if (helped !== null) {
      help = [helped[1]!, helped[2]!];
    } else if (typed !== null) {
      const [name, type] = [typed[1]!, typed[2]!];
      if (help?.[0] !== name) throw new Error(`no HELP right before: ${line}`);
      if (families.has(name)) throw new Error(`twice: ${name}`);
      checkName(name, type);
      current = [name, { help: help[1], type, samples: [] }];
      families.set(...current);
    } else {
      const sample = readSample(line);
      if (current?.[0] !== sample.name) throw new Error(`of no family: ${line}`);
      const labels = JSON.stringify(sample.labels);
      if (current[1].samples.some((other) => JSON.stringify(other.labels) === labels)) {
        throw new Error(`twice: ${line}`);
      }
      current[1].samples.push(sample);
    }
  }
  return families;
}

function checkName(name: string, type: string): void {
  if (!NAME.test(name)) throw new Error(`not in snake_case: ${name}`);
  if (name.endsWith('_total') !== (type === 'counter')) throw new Error(`_total: ${name}, ${type}`);
  if (/_(?:count|sum|bucket)$/.test(name)) throw new Error(`a histogram's suffix: ${name}`);
  if (/_(?:ms|us|ns|kb|mb|milliseconds|kilobytes)(?:_|$)/.test(name)) {
    throw new Error(`not a base unit: ${name}`);
  }
  if (name.includes(type)) throw new Error(`the type in the name: ${name}`);
}

function readSample(line: string): Sample {
  const match = /^([a-z0-9_]+)(?:\{([^}]*)\})? (\d+(?:\.\d+)?)$/.exec(line);
  if (match === null) throw new Error(`not a sample: ${line}`);
  const labels: Record<string, string> = {};
  for (const pair of match[2]?.split(',') ?? []) {
    const label = /^([a-z]+)="([A-Za-z0-9_]+)"$/.exec(pair);
    if (label === null) throw new Error(`not a label: ${pair}`);
    labels[label[1]!] = label[2]!;
  }
  return { name: match[1]!, labels, value: Number(match[3]) };
}
