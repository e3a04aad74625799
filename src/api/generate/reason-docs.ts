import type { Reason } from '../reasons.ts';
import { mailReasonDocs } from './reason-docs-mail.ts';

/** What a reason means in general, and how it is mended. */
interface ReasonDoc {
  readonly means: string;
  /** `–` where there is nothing to mend. */
  readonly mend: string;
}

const nothing = '–';

export type ReasonDocs = Readonly<Partial<Record<Reason, ReasonDoc>>>;

/** All of them, here or in the part that is spread in; the generator refuses to go on where one is missing. */
export const reasonDocs: ReasonDocs = {
  ...mailReasonDocs,
  Ready: { means: 'All that applies holds.', mend: nothing },
  Reconciling: { means: 'Mailseal is at work on it.', mend: nothing },
  Waiting: {
    means: 'A time must pass or an event happen before the next step is safe; the message says which.',
    mend: 'Wait. `status.next` has the time.',
  },
  Suspended: {
    means: '`spec.suspend` is true: nothing changes but renewals with the same key.',
    mend: 'Set `spec.suspend` to false.',
  },
  Retiring: {
    means: 'The object was deleted; a Retirement in the namespace of the operator withdraws what it published.',
    mend: 'Nothing. To take it back make the object again, with the same name and namespace.',
  },
  Orphaned: {
    means:
      'The object was deleted with `deletionPolicy: Orphan`, or its Retirement was: all stays as it is, and nothing is renewed any more.',
    mend: 'Renew or withdraw what the message names before the time that it names.',
  },
  Withdrawing: {
    means: 'What senders rely on is being withdrawn: `mode: none` is on its way to all servers.',
    mend: nothing,
  },
  PromiseHeld: {
    means:
      '`mode: none` is served everywhere, until no sender can hold to an earlier policy; of an exchanger, that its certificate is renewed for a policy that still names its hosts.',
    mend: 'Wait. `status.due` has the time. The policy pods must stay.',
  },
  Removing: {
    means: 'No sender relies on it any more: records go, in the order that loses no mail, each after its TTL.',
    mend: nothing,
  },
  Retired: { means: 'All that Mailseal published for it has gone.', mend: nothing },

  InvalidSpec: {
    means: 'The spec breaks a rule; the message lists each field and its rule.',
    mend: 'Edit the fields that are named.',
  },
  InvalidDomain: {
    means: '`spec.domain` is no mail domain, or is malformed as an internationalised name.',
    mend: 'The domain cannot be changed: delete the object and make one with the right domain.',
  },
  InvalidHost: {
    means: 'A host is no full host name, is an IP address, or is the name of the policy host.',
    mend: 'Write the host as the MX record names it.',
  },
  NoProvider: {
    means: 'There is no DNSProvider at all.',
    mend: 'An administrator creates a DNSProvider with the zone and this namespace.',
  },
  ProviderNotFound: {
    means: '`dnsProviderRef` names a DNSProvider that does not exist.',
    mend: 'Correct the name, or create it.',
  },
  ZoneNotGranted: {
    means: 'A name lies in no zone of any DNSProvider that applies.',
    mend: "Add its zone to a DNSProvider's `spec.zones`, or correct the name.",
  },
  NamespaceNotGranted: {
    means: 'A DNSProvider has the zone but does not allow this namespace.',
    mend: 'An administrator adds the namespace to `spec.allowedNamespaces.names` of the DNSProvider.',
  },
  AmbiguousDefault: {
    means: 'Several providers or issuers fit equally well. Objects that have one keep it; new ones must say.',
    mend: 'Name one in `dnsProviderRef` or `issuerRef`, or leave `default: true` on one only.',
  },
  NoIssuer: {
    means: 'No CertificateIssuer is named, and none is marked as default.',
    mend: 'Name one in `issuerRef`, or set `default: true` on one.',
  },
  IssuerNotFound: {
    means: '`issuerRef` names a CertificateIssuer that does not exist.',
    mend: 'Correct the name, or create it.',
  },
  IssuerNotReady: {
    means: 'The CertificateIssuer is not usable yet.',
    mend: 'See the conditions of the CertificateIssuer.',
  },
  IssuerNotTrusted: {
    means:
      'The CertificateIssuer signs for itself, which MX hosts may present to DANE senders and a policy host to nobody; or it is `external`, which is for MX hosts alone.',
    mend: 'Name an `acme` issuer in `spec.mtaSts.issuerRef`.',
  },
  ExchangerNotFound: {
    means: '`exchangerRefs` names a MailExchanger that does not exist.',
    mend: 'Correct name and namespace, or create it.',
  },
  ExchangerNotAllowed: {
    means: 'The MailExchanger lies in another namespace and does not allow this one.',
    mend: 'Its owner adds this namespace to its `spec.allowedNamespaces.names`.',
  },
  ExchangerNotReady: {
    means: 'A MailExchanger of this domain is not ready.',
    mend: 'See its conditions: `kubectl describe mex`.',
  },
  Conflict: {
    means:
      'Another object already claims this domain or host, or the name `mta-sts.DOMAIN` where its policy is served. The one that has it keeps it. Or another program, perhaps another installation with the same id, publishes for the domain, or writes a record of ours again and again: it is left alone for a while then.',
    mend: 'Remove the domain or host from one of the two objects. The message names the claim, for an administrator. Of two installations stop one: see [restore](restore.md). A record that someone else kept writing is published again within a minute when it is removed.',
  },

  ProviderUnauthorized: {
    means: 'The DNS provider refuses our credentials: unknown key, wrong secret, or clocks that differ.',
    mend: 'Correct key name, algorithm and secret; check the clock of both sides.',
  },
  ProviderUnavailable: {
    means: 'The DNS provider does not answer, or fails. It is tried again.',
    mend: 'Check its address and the network policy if it lasts.',
  },
  ProviderThrottled: { means: 'The DNS provider asks us to slow down. We wait as long as it says.', mend: nothing },
  ProviderRefused: {
    means: 'The DNS provider understood a change and refused it.',
    mend: 'Grant the key the right to the names that the message lists.',
  },
  ZoneNotFound: {
    means: 'The server is not authoritative for the zone.',
    mend: 'Correct `spec.zones` or `server` of the DNSProvider.',
  },
  RecordChanged: {
    means:
      'Again and again a record is not as we saw it when we write, or does not stay as we wrote it. We go on, ever more slowly.',
    mend: 'Find out who else writes these names, or whether the server alters what it takes, as a TTL.',
  },
  ForeignRecord: {
    means: 'A record that we would write stands there already and is not ours. Nothing was changed.',
    mend: 'Remove it, or take the name out of the spec.',
  },
  TLSAForeign: {
    means: 'TLSA records of someone else stand at an MX host. Nothing was changed and no key is delivered.',
    mend: 'Give the set to Mailseal with the annotation `mailseal.dev/adopt: _25._tcp.HOST TLSA` ([keys](keys.md)); or remove it once no mail host needs it, and wait its TTL; or set `dane.mode: Off`.',
  },
  WildcardSynthesised: {
    means: 'The name exists only through a wildcard; a record below it would take its mail away.',
    mend: 'Give the name an MX or address record of its own.',
  },
  TooManyChanges: {
    means:
      'Within an hour more than 20 %, and more than ten, of the record sets that Mailseal keeps in a zone would be changed or removed: as likely a mistake as a wish. What comes beyond that waits.',
    mend: 'If it is meant, an administrator annotates the DNSProvider with `mailseal.dev/allow-changes-until: TIME` (RFC 3339, at most a day ahead).',
  },
  AwaitingHuman: {
    means: 'The DNSProvider may not write this record, by its policy or because a human writes the zone.',
    mend: 'Publish what `status.requiredRecords` lists; Mailseal goes on when it is seen.',
  },
  DelegationMissing: {
    means: "A human's CNAME that is to lead into a zone of ours is missing, or leads elsewhere.",
    mend: 'Publish the CNAME that `status.requiredRecords` lists, once; all further changes are made behind it.',
  },
  TLSAUnsupported: {
    means: 'The API that writes the zone knows no TLSA records, so that DANE is not published. All else works.',
    mend: 'Give the zone to a DNSProvider with another API, or delegate `_25._tcp` of the hosts by a CNAME (`spec.delegated`).',
  },
  NameNotAllowed: {
    means: 'A change was for a name that Mailseal never writes, and was refused.',
    mend: 'This is a defect of Mailseal: please report it.',
  },
  CredentialsMissing: {
    means: 'The Secret with the credentials, or its key, does not exist.',
    mend: "Create it in the operator's namespace with the key that the message names.",
  },
  CredentialsInvalid: {
    means: 'The Secret is there but what it holds cannot be used.',
    mend: 'Store the credentials in the form that the message names.',
  },

  SecretForbidden: {
    means: 'The operator may not read or write Secrets in this namespace; the message names which.',
    mend: 'Add the namespace to `tenantNamespaces` of the chart.',
  },
  KeyNotImported: {
    means:
      'The Secret that `mailseal.dev/adopt` names holds no key that can be imported. No other key is given to the hosts.',
    mend: 'Name a Secret of the type kubernetes.io/tls with a key of a supported kind, or take it out of the annotation.',
  },
  SecretForeign: {
    means: 'A Secret of the wanted name exists and is not ours. It was not touched.',
    mend: 'Choose another `secretName`, or delete that Secret.',
  },
  RestartForbidden: {
    means: 'The operator may not look at, or restart, a workload that `delivery.restart` names.',
    mend: 'Set `workloadRestarts.enabled` of the chart, or grant it for these workloads alone ([restarts](restarts.md)).',
  },
  WorkloadNotFound: {
    means: 'A workload that `delivery.restart` names is not in the namespace. No pod of it is restarted or asked.',
    mend: 'Correct the name or the kind, create it, or take it out of the list.',
  },
  StateUnreadable: {
    means:
      'The durable state of this object, or its claim, cannot be read. It is not overwritten, and nothing is changed.',
    mend: 'Restore what the message names from a backup, or run the version of Mailseal that wrote it.',
  },
  KubernetesUnavailable: { means: 'The API server does not answer, or fails. It is tried again.', mend: nothing },
  InternalError: {
    means: 'Mailseal met an error that it did not expect: a fault of its own. It tries again, ever more slowly.',
    mend: "Report it, with the lines of the operator's log that name this object.",
  },
};
