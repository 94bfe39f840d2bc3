import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { isPublicAddress } from '../../functions/templates/public-address.ts';

describe('an address', () => {
  const notPublic: Record<string, readonly string[]> = {
    loopback: ['127.0.0.1', '127.255.255.254', '::1'],
    unspecified: ['0.0.0.0', '0.1.2.3', '::'],
    'link-local, where cloud metadata answers': ['169.254.169.254', '169.254.100.1', 'fe80::1', 'febf::1'],
    private: ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fc00::1', 'fd00:ec2::254'],
    'shared by a carrier': ['100.64.0.1', '100.127.255.255'],
    multicast: ['224.0.0.1', '239.255.255.250', 'ff02::1'],
    'reserved or broadcast': ['240.0.0.1', '255.255.255.255', '192.0.0.1', '198.18.0.1'],
    documentation: ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1'],
    'another in disguise': [
      '::ffff:127.0.0.1',
      '::ffff:8.8.8.8',
      '::7f00:1',
      '64:ff9b::7f00:1',
      '2002:7f00:1::',
      '2001:0:7f00:1::',
      'fec0::1',
    ],
    none: ['', 'localhost', '127.1', '8.8.8.8:80', '2130706433', '0x7f000001'],
  };
  for (const [name, addresses] of Object.entries(notPublic)) {
    it(`is not public when it is ${name}`, () => assert.deepEqual(addresses.filter(isPublicAddress), []));
  }

  it('is public next to those that are not', () => {
    const addresses = [
      '9.255.255.255',
      '11.0.0.1',
      '100.63.255.255',
      '100.128.0.0',
      '126.255.255.255',
      '128.0.0.1',
      '169.253.255.255',
      '172.15.255.255',
      '172.32.0.1',
      '192.169.0.1',
      '223.255.255.255',
      '2606:4700::1111',
      '2a05:d014::1',
      '2001:4860:4860::8888',
    ];
    assert.deepEqual(
      addresses.filter((address) => !isPublicAddress(address)),
      [],
    );
  });
});
