import test from 'brittle'
import { type Member, PeerQuota } from '../../../../../facilities/network/limits/peer-quota.js'

const client = (key: string): Member => ({ key, name: `client-${key}@test`, isWorker: false })
const worker = (key: string): Member => ({ key, name: `gateway-${key}@test`, isWorker: true })

const create = () =>
  new PeerQuota('calls in progress', {
    most: 10,
    mostOfClients: 7,
    mostPerClient: 3,
    mostPerWorker: 6,
  })

const overloaded = (message: string) => ({ code: 'OVERLOADED', message, retryAfterMs: undefined })

test('should refuse a key more than one key may have, and serve the others', (t) => {
  const quota = create()
  for (let taken = 0; taken < 3; taken += 1) quota.take(client('a'))
  t.exception(
    () => quota.take(client('a')),
    overloaded('client-a@test has 3 calls in progress; one key may have 3'),
  )
  quota.take(client('b'))
  for (let taken = 0; taken < 6; taken += 1) quota.take(worker('c'))
  t.exception(() => quota.take(worker('c')), { code: 'OVERLOADED' })
})

test('should keep places for workers when clients have taken all of theirs', (t) => {
  const quota = create()
  for (const key of ['a', 'b', 'c']) quota.take(client(key), key === 'c' ? 1 : 3)
  t.exception(() => quota.take(client('d')), overloaded('Clients have 7 calls in progress of 7'))
  for (let taken = 0; taken < 3; taken += 1) quota.take(worker('e'))
  t.exception(() => quota.take(worker('e')), overloaded('Peers have 10 calls in progress of 10'))
})

test('should let workers have what clients do not use', (t) => {
  const quota = create()
  quota.take(worker('a'), 6)
  quota.take(worker('b'), 4)
  t.exception(() => quota.take(client('c')), { code: 'OVERLOADED' })
})

test('should have a place again when one was given back, however often', (t) => {
  const quota = create()
  const leave = quota.take(client('a'), 3)
  leave()
  leave()
  quota.take(client('a'), 3)
  t.exception(() => quota.take(client('a')), { code: 'OVERLOADED' })
  t.exception(() => quota.take(client('b'), 5), { code: 'OVERLOADED' }, 'more than one may have')
  quota.take(client('b'), 3)
})
