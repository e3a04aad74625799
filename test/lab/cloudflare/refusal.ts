/** How Cloudflare says no: codes as reports of its users show them. Where none was to be found, one of our own, from 9208 on. */

export interface Complaint {
  readonly code: number;
  readonly message: string;
  readonly error_chain?: readonly Complaint[];
}

/** An answer that is no success. */
export class Refusal extends Error {
  readonly status: number;
  readonly complaints: readonly Complaint[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, complaints: readonly Complaint[], headers: Readonly<Record<string, string>> = {}) {
    super(complaints.map(({ message }) => message).join('; '));
    this.status = status;
    this.complaints = complaints;
    this.headers = headers;
  }
}

export const refusal = (status: number, code: number, message: string): Refusal =>
  new Refusal(status, [{ code, message }]);

/** A record that can't be: the reason is in the chain. */
export const invalid = (code: number, message: string): Refusal =>
  new Refusal(400, [{ code: 1004, message: 'DNS Validation Error', error_chain: [{ code, message }] }]);
