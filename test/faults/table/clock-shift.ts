/**
 * Loaded before a program by `node --import`: its clock differs from the machine's by as many milliseconds as the file
 * says that MAILSEAL_CLOCK names, and goes with what is written there while it runs.
 */
import { readFileSync } from 'node:fs';

const file = process.env['MAILSEAL_CLOCK'] ?? '';
const RealDate = Date;

const read = (): number => Number(readFileSync(file, 'utf8'));
let shift = read();
setInterval(() => {
  shift = read();
}, 100).unref();

class ShiftedDate extends RealDate {
  constructor(...given: readonly unknown[]) {
    if (given.length === 0) super(RealDate.now() + shift);
    else super(...(given as [number]));
  }
  static override now(): number {
    return RealDate.now() + shift;
  }
}

globalThis.Date = ShiftedDate as DateConstructor;
