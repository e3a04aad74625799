/** What observing returns; its home is a pure folder, since what is pure plans from it. */
export type { ChainVerdict, PolicyFetch, SentCertificate, SmtpOutcome, SmtpProbe } from '../pki/observed.ts';
