import { expect, test } from 'vitest';
import { clientOf, parseAddress } from '../../src/server/http.ts';

test.each([
  [':8443', { port: 8443 }],
  ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
  ['[::1]:8443', { host: '::1', port: 8443 }],
])('the address %s is read', (text, address) => {
  expect(parseAddress(text)).toEqual(address);
});

test.each(['8443', '127.0.0.1', '::1:8443:', '127.0.0.1:65536', '[::1]', ''])('%j is no address', (text) => {
  expect(() => parseAddress(text)).toThrow('is not an address such as');
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
  ['2001:db8::6', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
])('connections from %s count for %s', (address, client) => {
  expect(clientOf(address)).toBe(client);
});
