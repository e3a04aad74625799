/** Hands messages to a mail server at a steady pace, over one connection. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../../src/errors.ts';

export interface InjectorSpec {
  readonly host: string;
  readonly port: number;
  readonly perSecond: number;
  /** The recipient of the message with this number, from 0. */
  readonly to: (index: number) => string;
  readonly taken: (queueId: string) => void;
}

export interface Injector {
  /** Why it has ended before it was told to, in words. */
  readonly problem: () => string | undefined;
  /** Resolves when the last message was taken. */
  readonly stop: () => Promise<void>;
}

/** What it is late with it makes up for: the pace holds on the average. */
export async function startInjector(spec: InjectorSpec): Promise<Injector> {
  const { say, end } = await openDialogue(spec);
  const stopping = new AbortController();
  let problem: string | undefined;
  const run = async (): Promise<void> => {
    await say('EHLO injector.test', 250);
    const began = performance.now();
    for (let index = 0; !stopping.signal.aborted; index += 1) {
      const early = began + (index * 1000) / spec.perSecond - performance.now();
      if (early > 0) await pause(early);
      spec.taken(await inject(say, spec.to(index)));
    }
    await say('QUIT', 221);
  };
  const running = run()
    .catch((error: unknown) => void (problem = messageOf(error)))
    .finally(end);
  return {
    problem: () => problem,
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

type Say = (line: string, code: number) => Promise<string>;

async function inject(say: Say, to: string): Promise<string> {
  await say('MAIL FROM:<somebody@sender.test>', 250);
  await say(`RCPT TO:<${to}>`, 250);
  await say('DATA', 354);
  const reply = await say(
    `From: <somebody@sender.test>\r\nTo: <${to}>\r\nSubject: steady\r\n\r\nFrom the lab.\r\n.`,
    250,
  );
  const [, queueId] = /queued as (\w+)/u.exec(reply) ?? [];
  if (queueId === undefined) throw new Error(`the sender names no queue id: ${reply}`);
  return queueId;
}

async function openDialogue({ host, port }: InjectorSpec): Promise<{ readonly say: Say; readonly end: () => void }> {
  const socket = connect({ host, port });
  socket.setNoDelay(true);
  await once(socket, 'connect');
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const hear = async (code: number): Promise<string> => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done === true) throw new Error('the sender has closed the connection');
      if (value[3] === '-') continue;
      if (!value.startsWith(`${code} `)) throw new Error(`the sender says ${value}, not ${code}`);
      return value;
    }
  };
  await hear(220);
  const say: Say = (line, code) => {
    socket.write(`${line}\r\n`);
    return hear(code);
  };
  return { say, end: () => void socket.destroy() };
}
