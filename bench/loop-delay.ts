/** Runs inside a program that is measured (`node --import`), and says when asked how late its main loop was. */
import { createServer } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const port = 9191;
const millis = (nanoseconds: number): number => nanoseconds / 1e6;

export interface LoopDelay {
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Of the measured program, since this was asked last. */
export const askLoopDelay = async (): Promise<LoopDelay> =>
  (await (await fetch(`http://127.0.0.1:${port}/`)).json()) as LoopDelay;

if (process.execArgv.some((flag) => flag === `--import=${import.meta.filename}`)) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const server = createServer((_, response) => {
    const found: LoopDelay = { p99Ms: millis(delay.percentile(99)), maxMs: millis(delay.max) };
    delay.reset();
    response.end(JSON.stringify(found));
  });
  server.listen(port, '127.0.0.1').unref();
}
