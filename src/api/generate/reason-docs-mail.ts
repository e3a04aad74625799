import type { ReasonDocs } from './reason-docs.ts';

const nothing = '–';

/** The reasons about the DNS as the world sees it, certificates, MX hosts and policies. */
export const mailReasonDocs: ReasonDocs = {
  SplitHorizon: {
    means: 'The views from inside and outside differ. Nothing proceeds, since senders see the outside one.',
    mend: 'Make the two views agree for the names in the message.',
  },
  NotAtAllServers: {
    means:
      "A key waits until its TLSA record is seen at all servers and from outside; the record's own reason says why.",
    mend: 'Wait; see what DANEReady says of the record if it lasts.',
  },
  NotApplied: {
    means: "The provider's API shows the record, and all its servers answer without it: accepted and not applied.",
    mend: 'Wait as long as the provider takes to settle; see there why its servers do not load the zone if it lasts.',
  },
  ServerLagging: {
    means: 'An authoritative server shows an older state of the zone, or nothing yet, while others show the record.',
    mend: 'Wait; check zone transfers to the server that is named if it lasts.',
  },
  ServerFailing: {
    means: 'An authoritative server answers SERVFAIL: it knows the zone and cannot answer from it.',
    mend: 'See the log of the server that is named: an expired copy, a zone that does not load, a database that is down.',
  },
  ServerLame: {
    means: 'A server that the delegation or the NS records name does not serve the zone, or refuses to answer.',
    mend: 'Make it serve the zone, or take it out of the NS records and the delegation.',
  },
  ServerSilent: {
    means: 'An authoritative server cannot be reached from here, has no address, or none could be found at all.',
    mend: 'Start it, let the operator out to port 53 of it, or take it out of the NS records and the delegation.',
  },
  NotSeenOutside: {
    means: 'All authoritative servers show the records, the outside view does not yet.',
    mend: 'Wait; check the delegation at the parent zone if it lasts.',
  },
  ZoneSecure: { means: 'The zone is signed and its chain of trust is whole.', mend: nothing },
  ZoneInsecure: {
    means: 'The zone is not signed, or has no DS at its parent. No TLSA is published; MTA-STS still protects.',
    mend: 'Sign the zone and publish its DS if DANE is wanted.',
  },
  ZoneBogus: {
    means: 'DNSSEC is broken: validating senders cannot reach the domain at all. No key is changed.',
    mend: 'Mend signatures, keys or DS as the message says.',
  },
  DNSSECInMotion: {
    means:
      'The zone validates, and its DS or DNSKEY records are being changed. No key is swapped and no TLSA record added or removed meanwhile; what stands stays.',
    mend: 'Finish the rollover; where the message names a DS or key that is left over, remove it.',
  },
  SignatureExpiring: {
    means:
      'A signature of the zone has ended at some server, or is about to: validating senders that ask there find the zone bogus. No key is swapped and no TLSA record added or removed.',
    mend: 'Sign the zone anew, and check zone transfers to the server that is named.',
  },
  DNSUnknown: {
    means: 'The DNS gave no answer from which anything follows. Unknown is not taken for yes.',
    mend: 'See the message; it is asked again.',
  },
  NoMX: {
    means: 'The domain does not exist, or has neither MX nor address.',
    mend: 'Publish the MX records of `status.next`.',
  },
  NullMX: {
    means: 'The domain says that it takes no mail (RFC 7505).',
    mend: 'Replace the null MX with MX records, or delete the MailDomain.',
  },
  ImplicitMX: {
    means: 'The domain has no MX record; senders use its address.',
    mend: 'Publish MX records that name the hosts.',
  },
  UnlistedMX: {
    means: 'A live MX is not in the spec. Senders that enforce the policy refuse it; it may be forged.',
    mend: 'Add the host to the spec, or remove its MX record.',
  },
  MXNotPublished: {
    means: 'A host of the spec has no MX record. It is kept in the policy.',
    mend: 'Publish its MX record, or remove it from the spec.',
  },
  MXResolved: { means: 'The live MX records are those of the spec.', mend: nothing },

  ACMEUnavailable: {
    means: 'The CA does not answer, or fails. It is tried again.',
    mend: 'Check `acme.server`, `caBundle` and the network policy if it lasts.',
  },
  ACMERefused: {
    means: 'The CA refused a request; the message holds its words.',
    mend: 'See the message: names, CAA records, terms, account.',
  },
  ACMEThrottled: { means: 'The CA asks us to wait. We wait as long as it says.', mend: nothing },
  CAAForbids: {
    means:
      'The CAA records (RFC 8659) of a name do not let the CA issue for it, for our account (`accounturi`) or by the way in which we prove it (`validationmethods`, RFC 8657). No order is opened: it would be refused, and count against the limits of the CA.',
    mend: 'Publish the record that the message spells out, beside those that stand, or name an issuer that they allow. Mailseal writes no CAA records. It looks again twice a minute.',
  },
  HTTP01Off: {
    means:
      'The CertificateIssuer has `challenge: HTTP01`, and the policy pods of this installation answer no challenges. No order is opened.',
    mend: 'Set `policy.http01.enabled` in the values of the chart, or `challenge: DNS01` on the issuer.',
  },
  OrderPending: { means: 'The CA is checking the challenges or making the certificate.', mend: nothing },
  OrderInvalid: {
    means: 'The CA could not validate a name; the message holds its words. Another order follows later.',
    mend: 'Check that the challenge name is seen from outside, and CAA records.',
  },
  CertificateIssued: { means: 'The certificate is valid and names all hosts.', mend: nothing },
  SourceMissing: {
    means:
      'The Secret that `certificate.sourceSecretName` names does not exist. The hosts keep the certificate that they have, if any.',
    mend: 'Have cert-manager, or a human, put certificate and key into a Secret of that name and of type `kubernetes.io/tls`.',
  },
  SourceRefused: {
    means:
      'What the Secret that `certificate.sourceSecretName` names holds breaks a rule; the message names the field and the rule. The hosts keep the certificate that they have, if any.',
    mend: 'Mend the field that is named where the certificate comes from, such as the Certificate of cert-manager ([keys](keys.md)).',
  },
  CertificateEnding: {
    means:
      'The certificate that the hosts have ends soon, and the one to follow can not be given to them yet, or has not come.',
    mend: 'See why the message says it waits. Renew earlier than twice `dane.ttlSeconds` before the end, or keep the key at renewal.',
  },
  NamesLost: {
    means:
      'A host presents a certificate with names that the one of Mailseal lacks: whoever connects by them would be turned away. It is not delivered.',
    mend: 'Add the names to `certificate.dnsNames`, or list those that nobody uses any more in the annotation `mailseal.dev/drop-names`.',
  },
  CertificateInvalid: {
    means: 'The certificate does not fit: expired, another key, or a broken chain. It is not installed.',
    mend: 'Wait for the next order; see the message.',
  },

  AwaitingDelivery: {
    means: 'The Secret is ready; a host does not present its certificate yet.',
    mend: 'Let the host mount the Secret or run `mailseal agent`, and reload its mail server.',
  },
  Deployed: { means: 'Every address of every host presents the certificate.', mend: nothing },
  KeyRollover: {
    means: 'The hosts are being moved to their next key; TLSA records name both, so that no mail waits for it.',
    mend: 'Within an hour: let every host take the key from the Secret, and reload its mail server.',
  },
  KeyMismatch: {
    means:
      'A host presents another key than the one in the Secret. Where no TLSA record names it, DANE senders defer mail; it is not published, since only a probe saw it.',
    mend: 'Reload the mail server of the host that is named; check where it takes its key from.',
  },
  TLSAMismatch: {
    means: 'The TLSA records in the DNS do not match the key. It is not delivered: DANE senders would defer mail.',
    mend: 'Wait where the message says so; else give the set to Mailseal ([keys](keys.md)), or mend or remove the records that are not ours.',
  },
  STARTTLSMissing: {
    means: 'A host does not offer STARTTLS.',
    mend: 'Switch TLS on in the mail server; look for a firewall that rewrites SMTP.',
  },
  TLSFailed: {
    means: 'STARTTLS is offered and the handshake fails.',
    mend: "See the mail server's log: key not readable, protocol versions, ciphers.",
  },
  CertificateNotTrusted: {
    means: 'A host presents a certificate that senders do not trust, or without its intermediates.',
    mend: 'Install the full chain from the Secret.',
  },
  CertificateNameMismatch: {
    means: "A host presents a certificate without the host's name.",
    mend: 'Install the certificate from the Secret.',
  },
  CertificateExpired: {
    means: 'A host presents an expired certificate.',
    mend: 'Install the one from the Secret; reload.',
  },
  MXUnreachable: {
    means: 'A host does not answer on port 25.',
    mend: 'Start its mail server, or correct its address record.',
  },
  PortBlocked: {
    means: 'Port 25 is closed from here, so hosts cannot be probed. This is about the cluster, not the hosts.',
    mend: 'Let the operator out on port 25, or run `mailseal agent` on the hosts.',
  },
  STARTTLSVerified: { means: 'Every address of every host was verified as a sender would.', mend: nothing },
  DANEPublished: { means: 'TLSA records stand and match what the hosts present.', mend: nothing },
  DANEOff: { means: '`dane.mode` is Off: no TLSA is published.', mend: 'Set it to Auto to publish.' },

  PolicyServed: { means: 'Every policy pod serves the policy.', mend: nothing },
  PolicyNotServed: {
    means: 'The policy cannot be fetched as senders do.',
    mend: 'Check the Service of the policy pods and its load balancer.',
  },
  NoPolicyPods: {
    means: 'No policy pod is running.',
    mend: 'See the Deployment of the policy pods: `kubectl get pods`.',
  },
  NoPolicyAddress: {
    means: 'The Service of the policy pods has no outside address yet.',
    mend: 'Give it a load balancer, or set `policy.service.externalIPs` of the chart.',
  },
  RecordsPublished: { means: 'All records stand at all servers and are seen outside.', mend: nothing },
  TLSRPTPublished: { means: 'The TLSRPT record stands.', mend: nothing },
  TLSRPTOff: { means: 'No report address is given, so no TLSRPT record is published.', mend: 'Set `spec.tlsRpt.rua`.' },
  InTesting: {
    means: 'The policy is in `testing` until it is promoted; `status.next` says when.',
    mend: 'Wait, or set `mtaSts.promotion`.',
  },
};
