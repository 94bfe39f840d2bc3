import { BlockList, isIP } from 'node:net';

/** IANA's special-purpose registries (RFC 6890 and successors), and what carries another address in it. */
const special: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

/** Within 2000::/3, the only IPv6 addresses that are global at all: Teredo, ORCHID, documentation, 6to4. */
const specialSix: readonly (readonly [string, number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

function listOf(subnets: readonly (readonly [string, number])[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of subnets) list.addSubnet(network, prefix, family);
  return list;
}

const makeLists = () => ({
  notPublicFour: listOf(special, 'ipv4'),
  notPublicSix: listOf(specialSix, 'ipv6'),
  globalSix: listOf([['2000::', 3]], 'ipv6'),
});

/** Made for the first address that is looked at: most containers never look at one, and all have to start. */
let lists: ReturnType<typeof makeLists> | null = null;

/**
 * Whether an address is one of the public internet: not loopback (where Lambda's Runtime API listens), not link-local
 * (where cloud metadata answers), not private, shared, multicast, reserved or documentation, and none that embeds another
 * address (IPv4-mapped, NAT64, 6to4, Teredo). What is no address at all is not public.
 */
export function isPublicAddress(address: string): boolean {
  lists ??= makeLists();
  const { notPublicFour, notPublicSix, globalSix } = lists;
  if (isIP(address) === 4) return !notPublicFour.check(address, 'ipv4');
  if (isIP(address) !== 6) return false;
  return globalSix.check(address, 'ipv6') && !notPublicSix.check(address, 'ipv6');
}
