import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The flags of Node that the chart gives to the operator. */
export function operatorFlags(): readonly string[] {
  const template = readFileSync(join(import.meta.dirname, '../charts/mailseal/templates/operator.yaml'), 'utf8');
  const [, words = ''] = /^ *command: \[(.*)\]$/m.exec(template) ?? [];
  return words.split(', ').filter((word) => word.startsWith('--'));
}
