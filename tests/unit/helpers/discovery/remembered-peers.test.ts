import test from 'brittle'
import fc from 'fast-check'
import {
  MAX_REMEMBERED_PER_ROLE,
  mergeRemembered,
  type RememberedPeer,
  rememberedPeerSchema,
  usableAddresses,
} from '../../../../helpers/discovery/remembered-peers.js'
import { ROLES } from '../../../../helpers/identity/roles.js'
import { ensure, holds } from '../../../helpers/property.js'

const HOME = { host: '127.0.0.1', port: 4000 }

const peers = fc.array(
  fc.record({
    role: fc.constantFrom('auth' as const, 'gateway' as const),
    publicKey: fc.nat(300).map((n) => n.toString(16).padStart(64, '0')),
    addresses: fc.nat({ max: 9 }).map((n) => [{ host: '127.0.0.1', port: n + 1 }]),
    provedAt: fc.nat(1_000),
  }),
  { maxLength: 300, size: 'max' },
)

const nameOf = ({ role, publicKey }: RememberedPeer) => `${role} ${publicKey}`

test('should keep the latest entry of each worker, and no more than its bound of a role, for any two lists', async (t) => {
  await holds(
    t,
    fc.property(peers, peers, (one, other) => {
      const merged = mergeRemembered(one, other)
      const all = [...one, ...other]
      ensure(new Set(merged.map(nameOf)).size === merged.length, 'a worker is listed twice')
      for (const role of ROLES) {
        const kept = merged.filter((peer) => peer.role === role)
        const distinct = new Set(all.filter((peer) => peer.role === role).map(nameOf))
        const expected = Math.min(distinct.size, MAX_REMEMBERED_PER_ROLE)
        ensure(kept.length === expected, `${kept.length} of ${expected}`)
        const oldest = kept.at(-1)?.provedAt ?? 0
        const forgotten = all.filter(
          (peer) => peer.role === role && !kept.some((one) => nameOf(one) === nameOf(peer)),
        )
        ensure(
          forgotten.every(({ provedAt }) => provedAt <= oldest),
          'a later one was forgotten',
        )
      }
      for (const { provedAt, ...peer } of merged) {
        const times = all.filter((one) => nameOf(one) === nameOf({ provedAt, ...peer }))
        ensure(
          times.every((one) => one.provedAt <= provedAt),
          'an older entry was kept',
        )
      }
      const again = mergeRemembered(merged, merged)
      ensure(JSON.stringify(again) === JSON.stringify(merged), 'it is not stable')
    }),
    12,
  )
})

test('should forget the worker of a role that was authenticated longest ago when there are too many', (t) => {
  const peer = (role: 'auth' | 'gateway', n: number): RememberedPeer => {
    const publicKey = n.toString(16).padStart(64, '0')
    return { role, publicKey, addresses: [HOME], provedAt: n }
  }
  const gateways = Array.from({ length: MAX_REMEMBERED_PER_ROLE + 2 }, (_, n) => peer('gateway', n))
  const merged = mergeRemembered([...gateways, peer('auth', 0)], gateways)
  t.is(merged.length, MAX_REMEMBERED_PER_ROLE + 1)
  const kept = merged.filter(({ role }) => role === 'gateway').map(({ provedAt }) => provedAt)
  t.is(Math.min(...kept), 2)
})

test('should leave out addresses that cannot be dialled', (t) => {
  const bad = [
    { host: 'example.com', port: 1 },
    { host: '::1', port: 1 },
    { host: '127.0.0.1', port: 0 },
    { host: '127.0.0.1', port: 1.5 },
    { host: '', port: 1 },
  ]
  t.alike(usableAddresses([...bad, HOME, HOME]), [HOME])
  const many = Array.from({ length: 20 }, (_, port) => ({ host: '10.0.0.1', port: port + 1 }))
  t.is(usableAddresses(many).length, 4)
})

test('should refuse entries with anything unexpected in them', (t) => {
  const good = { role: 'auth', publicKey: 'ab'.repeat(32), addresses: [HOME], provedAt: 1 }
  t.ok(rememberedPeerSchema.safeParse(good).success)
  t.ok(rememberedPeerSchema.safeParse({ ...good, role: 'keeper' }).success, 'a role of later')
  const wrong = [
    { role: 'Root' },
    { publicKey: 'AB'.repeat(32) },
    { publicKey: 'ab' },
    { addresses: [] },
    { addresses: Array.from({ length: 5 }, () => HOME) },
    { provedAt: -1 },
    { provedAt: '1' },
    { extra: 1 },
  ]
  for (const change of wrong) {
    const { success } = rememberedPeerSchema.safeParse({ ...good, ...change })
    t.absent(success, JSON.stringify(change))
  }
})
