import { plainJson, withoutSecrets } from './api/text.ts';
import { systemClock, type Clock } from './clock.ts';

export type Level = 'debug' | 'info' | 'warn' | 'error';
export type Fields = Readonly<Record<string, unknown>>;

/** Structured log: one JSON object a line. Values of fields whose name speaks of a secret are never written. */
export interface Log {
  readonly debug: (message: string, fields?: Fields) => void;
  readonly info: (message: string, fields?: Fields) => void;
  readonly warn: (message: string, fields?: Fields) => void;
  readonly error: (message: string, fields?: Fields) => void;
  /** A log whose lines all carry these fields too. */
  readonly with: (fields: Fields) => Log;
}

const order: readonly Level[] = ['debug', 'info', 'warn', 'error'];
const secretField = /key|secret|token|password|pem|credential/iu;
const maximumText = 2000;
function redact(name: string, value: unknown): unknown {
  if (secretField.test(name)) return '[redacted]';
  if (typeof value !== 'string') return value;
  const text = withoutSecrets(value.slice(0, 2 * maximumText));
  return text.length > maximumText ? `${text.slice(0, maximumText).toWellFormed()}…` : text;
}

export function createLog(write: (line: string) => void, level: Level = 'info', clock: Clock = systemClock): Log {
  const make = (bound: Fields): Log => {
    const emit = (at: Level) => (message: string, fields?: Fields) => {
      if (order.indexOf(at) < order.indexOf(level)) return;
      const own = { time: new Date(clock.now()).toISOString(), level: at, message };
      // Fields never take the place of the line's own, which come first.
      const line = { ...own, ...bound, ...fields, ...own };
      write(`${plainJson(JSON.stringify(line, redact))}\n`);
    };
    return {
      debug: emit('debug'),
      info: emit('info'),
      warn: emit('warn'),
      error: emit('error'),
      with: (fields) => make({ ...bound, ...fields }),
    };
  };
  return make({});
}
