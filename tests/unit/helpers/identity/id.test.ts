import test from 'brittle'
import { createId } from '../../../../helpers/identity/id.js'

const NOW = Date.UTC(2026, 0, 1)

test('should be a kind and a ULID when an id is made', (t) => {
  t.ok(/^req_[0-9A-HJKMNP-TV-Z]{26}$/.test(createId('req', NOW, () => 0.5)))
  // The time of the ULID specification's own example.
  t.is(
    createId('usr', 1_469_918_176_385, () => 0),
    `usr_01ARYZ6S41${'0'.repeat(16)}`,
  )
})

test('should sort by time when ids are made one after the other', (t) => {
  const chance = [0.9, 0.1]
  const ids = [0, 1, 1_000, 86_400_000].map((afterMs, index) =>
    createId('crt', NOW + afterMs, () => chance[index % 2] ?? 0),
  )
  t.alike([...ids].sort(), ids)
})

test('should differ when two ids are made in the same millisecond', (t) => {
  let drawn = 0
  const fraction = () => {
    drawn += 1
    return (drawn % 32) / 32
  }
  t.not(createId('req', NOW, fraction), createId('req', NOW, fraction))
})
