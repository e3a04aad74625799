/** What named reads. */
import { join } from 'node:path';
import type { Addresses, ZoneSpec } from './dns-zone.ts';

export interface TsigKey {
  readonly name: string;
  readonly algorithm: string;
  /** Base64. */
  readonly secret: string;
}

export type Role = 'primary' | 'secondary';

export interface ConfSpec {
  readonly primary: Addresses;
  readonly secondary: Addresses;
  readonly zones: readonly ZoneSpec[];
  readonly dirs: Readonly<Record<Role, string>>;
  readonly keys: Readonly<Record<'tsig' | 'admin' | 'transfer', TsigKey>>;
  /** Further secondaries, which are told of changes. */
  readonly followers?: readonly Addresses[];
}

/** Short waits, so that a change of keys fits into a test. */
const policy = (name: string, algorithms: readonly string[]): string => `dnssec-policy "${name}" {
  keys { ${algorithms.map((algorithm) => `csk lifetime unlimited algorithm ${algorithm};`).join(' ')} };
  dnskey-ttl 5s; publish-safety 1s; retire-safety 1s; max-zone-ttl 1d;
  zone-propagation-delay 1s; parent-ds-ttl 5s; parent-propagation-delay 1s;
};
`;

/** One combined key of each algorithm. */
export const policyConf: string =
  policy('lab', ['ecdsap256sha256']) + policy('rolling', ['ecdsap256sha256', 'ed25519']);

/** A clause as named.conf and nsupdate's key file want it. */
export function keyClause({ name, algorithm, secret }: TsigKey): string {
  return `key "${name}" { algorithm ${algorithm}; secret "${secret}"; };\n`;
}

export function namedConf(role: Role, spec: ConfSpec): string {
  const { v4, v6 } = spec[role];
  const { tsig, admin, transfer } = spec.keys;
  const zone = role === 'primary' ? primaryZone : secondaryZone;
  return `${[tsig, admin, transfer].map(keyClause).join('')}${policyConf}
controls {};
options {
  directory "${spec.dirs[role]}"; pid-file none; lock-file none; session-keyfile "session.key";
  listen-on { ${v4}; }; listen-on-v6 { ${v6 ?? 'none'}; }; interface-interval 0;
  query-source address ${v4}; notify-source ${v4}; transfer-source ${v4};
  recursion no; dnssec-validation no; empty-zones-enable no; minimal-responses no-auth-recursive;
  allow-transfer { key "${transfer.name}"; };
  notify-rate 1000; startup-notify-rate 1000; serial-query-rate 1000;
};
${loggingConf}
${spec.zones.map((each) => zone(each, spec)).join('\n')}
`;
}

// Debug level 3 of update-security says once per message that it was approved; the other channels stay terse.
const loggingConf = `logging {
  channel updates { file "update.log"; severity debug 3; print-time iso8601; print-category yes; };
  channel queries { file "query.log"; severity info; print-time iso8601; };
  channel rest { stderr; severity info; print-time iso8601; print-severity yes; print-category yes; };
  category update { updates; }; category update-security { updates; };
  category queries { queries; }; category default { rest; };
};`;

function primaryZone(zone: ZoneSpec, { secondary, followers = [], keys, dirs }: ConfSpec): string {
  const updaters = [keys.admin, ...(zone.allowUpdate === false ? [] : [keys.tsig])];
  const policy =
    zone.security === 'insecure'
      ? ''
      : `dnssec-policy "${zone.rolling === true ? 'rolling' : 'lab'}"; key-directory "${join(dirs.primary, 'keys')}";`;
  return `zone "${zone.name}" {
  type primary; file "${zone.name}.zone"; ${policy}
  allow-update { ${updaters.map((key) => `key "${key.name}";`).join(' ')} };
  notify explicit; notify-delay 0; also-notify { ${[secondary, ...followers].map(({ v4 }) => `${v4} key "${keys.transfer.name}";`).join(' ')} };
};`;
}

function secondaryZone(zone: ZoneSpec, { primary, keys }: ConfSpec): string {
  return `zone "${zone.name}" {
  type secondary; file "${zone.name}.copy"; notify no;
  primaries { ${primary.v4} key "${keys.transfer.name}"; };
  min-refresh-time 2; min-retry-time 1;
};`;
}
