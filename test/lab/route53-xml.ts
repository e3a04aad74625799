/** The XML of Route 53, as far as the stand-in reads and writes it. */

/** A record set as the API has it: names with a final dot, values as they were written. */
export interface ApiSet {
  readonly name: string;
  readonly type: string;
  readonly ttl?: number;
  readonly values: readonly string[];
  /** Given, the set answers by rules; a weight will do. */
  readonly identifier?: string;
  /** Given, the set is an alias within AWS. */
  readonly alias?: string;
}

export interface ApiChange {
  readonly action: string;
  readonly set: ApiSet;
}

const namespace = 'xmlns="https://route53.amazonaws.com/doc/2013-04-01/"';
const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function plain(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (_, hex?: string, decimal?: string, name?: string) =>
    name === undefined
      ? String.fromCodePoint(Number.parseInt(hex ?? decimal ?? '', hex === undefined ? 10 : 16))
      : (entities[name] ?? ''),
  );
}

const escaped = (text: string): string => text.replace(/[<>&"'\n\r]/g, (char) => `&#${char.codePointAt(0)};`);

/** What stands between the tags of each element of that name; elements of one name are never nested here. */
export const elements = (xml: string, tag: string): readonly string[] =>
  [...xml.matchAll(new RegExp(`<${tag}(?: [^>]*)?>(.*?)</${tag}>`, 'gs'))].map(([, inner = '']) => inner);

export function element(xml: string, tag: string): string | undefined {
  const [inner] = elements(xml, tag);
  return inner === undefined ? undefined : plain(inner);
}

function readSet(xml: string): ApiSet {
  const ttl = element(xml, 'TTL');
  const identifier = element(xml, 'SetIdentifier');
  const alias = element(xml, 'DNSName');
  return {
    name: element(xml, 'Name') ?? '',
    type: element(xml, 'Type') ?? '',
    values: elements(xml, 'Value').map(plain),
    ...(ttl === undefined ? {} : { ttl: Number(ttl) }),
    ...(identifier === undefined ? {} : { identifier }),
    ...(alias === undefined ? {} : { alias }),
  };
}

export const readSets = (xml: string): readonly ApiSet[] => elements(xml, 'ResourceRecordSet').map(readSet);

export const readChanges = (xml: string): readonly ApiChange[] =>
  elements(xml, 'Change').map((change) => ({ action: element(change, 'Action') ?? '', set: readSet(change) }));

function setXml({ name, type, ttl, values, identifier, alias }: ApiSet): string {
  const records = values.map((value) => `<ResourceRecord><Value>${escaped(value)}</Value></ResourceRecord>`);
  return [
    `<ResourceRecordSet><Name>${escaped(name)}</Name><Type>${type}</Type>`,
    identifier === undefined ? '' : `<SetIdentifier>${escaped(identifier)}</SetIdentifier><Weight>1</Weight>`,
    ttl === undefined ? '' : `<TTL>${ttl}</TTL>`,
    records.length === 0 ? '' : `<ResourceRecords>${records.join('')}</ResourceRecords>`,
    alias === undefined
      ? ''
      : `<AliasTarget><HostedZoneId>Z1</HostedZoneId><DNSName>${escaped(alias)}</DNSName><EvaluateTargetHealth>false</EvaluateTargetHealth></AliasTarget>`,
    '</ResourceRecordSet>',
  ].join('');
}

export function changesXml(changes: readonly ApiChange[]): string {
  const all = changes.map(({ action, set }) => `<Change><Action>${action}</Action>${setXml(set)}</Change>`).join('');
  return `<ChangeResourceRecordSetsRequest ${namespace}><ChangeBatch><Changes>${all}</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>`;
}

export function pageXml(sets: readonly ApiSet[], next: ApiSet | undefined, most: number): string {
  const more =
    next === undefined
      ? '<IsTruncated>false</IsTruncated>'
      : `<IsTruncated>true</IsTruncated><NextRecordName>${escaped(next.name)}</NextRecordName><NextRecordType>${next.type}</NextRecordType>${next.identifier === undefined ? '' : `<NextRecordIdentifier>${escaped(next.identifier)}</NextRecordIdentifier>`}`;
  return `<ListResourceRecordSetsResponse ${namespace}><ResourceRecordSets>${sets.map(setXml).join('')}</ResourceRecordSets>${more}<MaxItems>${most}</MaxItems></ListResourceRecordSetsResponse>`;
}

/** The first so many of these. */
export const zonesXml = (zones: readonly string[], dnsName: string, most: number): string =>
  `<ListHostedZonesByNameResponse ${namespace}><HostedZones>${zones
    .slice(0, most)
    .map((zone) => `<HostedZone>${zone}</HostedZone>`)
    .join(
      '',
    )}</HostedZones><DNSName>${dnsName}</DNSName><IsTruncated>${zones.length > most}</IsTruncated><MaxItems>${most}</MaxItems></ListHostedZonesByNameResponse>`;

/** `what` is the element around it: of the answer to a change, or to the question how it goes on. */
export const changeXml = (
  what: 'ChangeResourceRecordSetsResponse' | 'GetChangeResponse',
  id: string,
  pending: boolean,
): string =>
  `<${what} ${namespace}><ChangeInfo><Id>/change/${id}</Id><Status>${pending ? 'PENDING' : 'INSYNC'}</Status><SubmittedAt>${new Date().toISOString()}</SubmittedAt></ChangeInfo></${what}>`;

export const errorXml = (code: string, message: string): string =>
  `<ErrorResponse ${namespace}><Error><Type>Sender</Type><Code>${code}</Code><Message>${escaped(message)}</Message></Error><RequestId>lab</RequestId></ErrorResponse>`;

/** A refused batch has a form of its own. */
export const refusedXml = (sentences: readonly string[]): string =>
  `<InvalidChangeBatch ${namespace}><Messages>${sentences.map((one) => `<Message>${escaped(one)}</Message>`).join('')}</Messages><RequestId>lab</RequestId></InvalidChangeBatch>`;

export const createZoneXml = (name: string, isPrivate: boolean, reference: string): string =>
  `<CreateHostedZoneRequest ${namespace}><Name>${name}</Name><CallerReference>${reference}</CallerReference><HostedZoneConfig><PrivateZone>${isPrivate}</PrivateZone></HostedZoneConfig></CreateHostedZoneRequest>`;
