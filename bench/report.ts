/** What a bench found, as a table and as JSON. */

export interface Row {
  readonly what: string;
  readonly ours: number;
  /** What a peer, or the bare minimum, took in the same run; null where there is none. */
  readonly peer: number | null;
  /** Ours over the peer's. */
  readonly ratio: number | null;
  readonly unit: string;
  /** The limit that `ours` must not be above, or `ratio` where the unit says so. Null where the row only informs. */
  readonly aim: number | null;
  readonly met: boolean | null;
}

export interface Report {
  readonly name: string;
  readonly rows: readonly Row[];
}

/** A row whose aim limits `ours`. */
export function row(what: string, ours: number, unit: string, aim: number | null, peer: number | null = null): Row {
  const met = aim === null ? null : ours <= aim;
  const beside = peer === null ? { peer, ratio: null } : { peer: rounded(peer), ratio: rounded(ours / peer) };
  return { what, ours: rounded(ours), ...beside, unit, aim, met };
}

/** A row that is compared with a peer of the same run; the aim limits the ratio. */
export function compared(what: string, ours: number, peer: number, unit: string, aim: number | null): Row {
  const ratio = ours / peer;
  const met = aim === null ? null : ratio <= aim;
  return {
    what,
    ours: rounded(ours),
    peer: rounded(peer),
    ratio: rounded(ratio),
    unit: `${unit}; aim: ratio`,
    aim,
    met,
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  if (low === undefined || high === undefined) throw new Error('nothing was measured');
  return (low + high) / 2;
}

/** As Markdown, so that bench/RESULTS.md can take it as it is. */
export function table({ rows }: Report): string {
  const head = ['what', 'ours', 'peer', 'ratio', 'unit', 'aim', 'met'];
  const cells = rows.map(({ what, ours, peer, ratio, unit, aim, met }) => [
    what,
    String(ours),
    peer === null ? '–' : String(peer),
    ratio === null ? '–' : String(ratio),
    unit,
    aim === null ? '–' : `≤ ${aim}`,
    met === null ? '–' : met ? 'yes' : 'NO',
  ]);
  const widths = head.map((title, column) =>
    Math.max(title.length, ...cells.map((line) => (line[column] ?? '').length)),
  );
  const line = (texts: readonly string[]): string =>
    `| ${texts.map((text, column) => text.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(head), rule, ...cells.map(line)].join('\n');
}

const rounded = (value: number): number => Number(value.toPrecision(3));
