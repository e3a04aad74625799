/** The budget of one user. Source: https://developers.cloudflare.com/fundamentals/api/reference/limits/ */
import { Refusal } from './refusal.ts';

const most = 1200;
const windowMs = 300_000;

export interface Throttle {
  /** Counts a call; throws a Refusal where there were too many, and for five minutes from then on. */
  readonly take: () => void;
  /** Headers that each answer carries. */
  readonly headers: () => Readonly<Record<string, string>>;
}

export function createThrottle(now: () => number): Throttle {
  let calls: number[] = [];
  let blockedUntil = 0;
  const recent = (): number => {
    calls = calls.filter((at) => at > now() - windowMs);
    return calls.length;
  };
  return {
    take: () => {
      if (blockedUntil <= now() && recent() >= most) blockedUntil = now() + windowMs;
      if (blockedUntil > now()) throw tooMany(Math.ceil((blockedUntil - now()) / 1000));
      calls.push(now());
    },
    headers: () => ({
      ratelimit: `"default";r=${Math.max(0, most - recent())};t=${windowMs / 1000}`,
      'ratelimit-policy': `"default";q=${most};w=${windowMs / 1000}`,
    }),
  };
}

export function tooMany(seconds: number): Refusal {
  const message = `More than ${most} requests per ${windowMs / 1000} seconds reached. Please wait and consider throttling your request speed`;
  return new Refusal(429, [{ code: 971, message }], { 'retry-after': String(seconds) });
}
