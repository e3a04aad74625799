#!/usr/bin/env node
/** The composition root: the only file that touches `process`. Each program is loaded only when it is asked for. */
import { text } from 'node:stream/consumers';
import { runCli } from './cli/cli.ts';
import { systemClock } from './clock.ts';

const stop = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());

process.exitCode = await runCli(process.argv.slice(2), {
  out: (line) => void process.stdout.write(line),
  err: (line) => void process.stderr.write(line),
  env: process.env,
  clock: systemClock,
  readStdin: () => text(process.stdin),
  signal: stop.signal,
});
// Told to end, it has done so: what still waits for an answer of somebody's can do nothing any more.
if (stop.signal.aborted) process.exit();
