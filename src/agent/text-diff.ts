/** Two texts as a unified diff, for people. */

const context = 3;

type Line = { readonly sign: ' ' | '-' | '+'; readonly text: string };

/** Empty where the texts are the same. `before` is undefined for a file that is not there yet. */
export function unifiedDiff(path: string, before: string | undefined, after: string): string {
  if (before === after) return '';
  const lines = lineDiff(linesOf(before ?? ''), linesOf(after));
  const head = `--- ${before === undefined ? '/dev/null' : path}\n+++ ${path}\n`;
  return head + hunksOf(lines).join('');
}

function linesOf(text: string): readonly string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** What both texts begin and end with stays; all between is replaced, but for lines that stand on both sides in order. */
function lineDiff(before: readonly string[], after: readonly string[]): readonly Line[] {
  const lines: Line[] = [];
  let at = 0;
  for (const [index, text] of before.entries()) {
    const found = after.indexOf(text, at);
    // A line that returns only after others of the old text were passed over is not the same one.
    const skipped = found === -1 ? [] : after.slice(at, found);
    if (found === -1 || skipped.some((line) => before.includes(line, index + 1))) {
      lines.push({ sign: '-', text });
      continue;
    }
    lines.push(...skipped.map((line): Line => ({ sign: '+', text: line })), { sign: ' ', text });
    at = found + 1;
  }
  return [...lines, ...after.slice(at).map((text): Line => ({ sign: '+', text }))];
}

function hunksOf(lines: readonly Line[]): readonly string[] {
  const changed = lines.flatMap(({ sign }, index) => (sign === ' ' ? [] : [index]));
  const hunks: string[] = [];
  for (let from = 0; from < changed.length; ) {
    let to = from;
    while ((changed[to + 1] ?? Infinity) - (changed[to] ?? 0) <= 2 * context) to += 1;
    const start = Math.max(0, (changed[from] ?? 0) - context);
    hunks.push(hunkOf(lines, start, (changed[to] ?? 0) + context + 1));
    from = to + 1;
  }
  return hunks;
}

function hunkOf(lines: readonly Line[], start: number, end: number): string {
  const hunk = lines.slice(start, end);
  const side = (sign: '-' | '+'): string => {
    const isOn = (line: Line): boolean => line.sign === ' ' || line.sign === sign;
    const count = hunk.filter(isOn).length;
    const first = lines.slice(0, start).filter(isOn).length + (count === 0 ? 0 : 1);
    return `${sign}${first},${count}`;
  };
  return [`@@ ${side('-')} ${side('+')} @@`, ...hunk.map(({ sign, text }) => sign + text), ''].join('\n');
}
