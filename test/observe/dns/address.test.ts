import { expect, test } from 'vitest';
import { createAddressPolicy } from '../../../src/observe/dns/address.ts';
import { endpointText, parseAddress, parseEndpoint } from '../../../src/observe/dns/endpoint.ts';

const good = ['8.8.8.8', '193.0.14.129', '2606:4700::1111', '2a00:1450:4001:80b::200e'];
const bad: readonly (readonly [string, string])[] = [
  ['loopback', '127.0.0.1'],
  ['this network', '0.0.0.0'],
  ['private', '10.1.2.3'],
  ['private', '172.31.0.1'],
  ['private', '192.168.1.1'],
  ['carrier NAT', '100.64.0.1'],
  ['metadata', '169.254.169.254'],
  ['metadata of another cloud', '168.63.129.16'],
  ['multicast', '224.0.0.251'],
  ['broadcast', '255.255.255.255'],
  ['documentation', '192.0.2.1'],
  ['benchmarking', '198.18.0.1'],
  ['future use', '240.0.0.1'],
  ['loopback', '::1'],
  ['unspecified', '::'],
  ['mapped', '::ffff:10.0.0.1'],
  ['mapped, public', '::ffff:8.8.8.8'],
  ['compatible', '::8.8.8.8'],
  ['NAT64', '64:ff9b::a00:1'],
  ['local NAT64', '64:ff9b:1::a00:1'],
  ['6to4', '2002:a00:1::1'],
  ['Teredo', '2001::1'],
  ['unique local', 'fd00:ec2::254'],
  ['link-local', 'fe80::1'],
  ['link-local with a zone', 'fe80::1%eth0'],
  ['multicast', 'ff02::1'],
  ['documentation', '2001:db8::1'],
  ['outside of what is given out', '4000::1'],
  ['a number', '2130706433'],
  ['short form', '127.1'],
  ['octal', '0177.0.0.1'],
  ['hexadecimal', '0x7f.0.0.1'],
  ['a name', 'localhost'],
  ['nothing', ''],
];

test.each(good)('%s may be asked', (address) => {
  expect(createAddressPolicy().permits(address)).toBe(true);
});

test.each(bad)('%s (%s) is not asked', (_what, address) => {
  expect(createAddressPolicy().permits(address)).toBe(false);
});

test.each([
  ['10.53.0.0/24', '10.53.0.2', true],
  ['10.53.0.0/24', '10.53.1.2', false],
  ['fd53::/64', 'fd53::1', true],
  ['0.0.0.0/0', '::1', false],
  ['::/0', '10.0.0.1', false],
])('an allow-list of %s lets %s through: %s', (cidr, address, expected) => {
  expect(createAddressPolicy([cidr]).permits(address)).toBe(expected);
});

test('an allow-list that is not CIDR notation is an error', () => {
  expect(() => createAddressPolicy(['10.53.0.0'])).toThrow();
});

test.each([
  ['tls://192.0.2.1:853#dns.example', 'tls://192.0.2.1:853#dns.example'],
  ['tls://192.0.2.1#dns.example', 'tls://192.0.2.1:853#dns.example'],
  ['udp://192.0.2.1', 'udp://192.0.2.1:53'],
  ['udp://[2001:db8::1]:5353', 'udp://[2001:db8::1]:5353'],
  ['tcp://2001:db8::1', 'tcp://[2001:db8::1]:53'],
])('%s names the server %s', (text, expected) => {
  expect(endpointText(parseEndpoint(text))).toBe(expected);
});

test.each([
  '192.0.2.1',
  'https://192.0.2.1/dns-query',
  'tls://192.0.2.1:853',
  'udp://192.0.2.1#name',
  'tls://dns.example#dns.example',
  'udp://192.0.2.1:0',
  'udp://192.0.2.1:65536',
  'udp://192.0.2.300',
  '',
])('"%s" names no server', (text) => {
  expect(() => parseEndpoint(text)).toThrow(expect.objectContaining({ reason: 'InvalidSpec', kind: 'Stalled' }));
});

test.each([
  ['192.0.2.53', { address: '192.0.2.53', port: 53 }],
  ['192.0.2.53:5353', { address: '192.0.2.53', port: 5353 }],
  ['2001:db8::53', { address: '2001:db8::53', port: 53 }],
  ['[2001:db8::53]:5353', { address: '2001:db8::53', port: 5353 }],
  ['ns1.example.com', undefined],
  ['192.0.2.53:', undefined],
])('the address %s is read', (text, expected) => {
  expect(parseAddress(text, 53)).toEqual(expected);
});
