import test from 'brittle'
import { accountKey, parseAccount } from '../../../../helpers/accounts/account-record.js'
import { registerAccount } from '../../../../helpers/accounts/register-account.js'

const ADA = { userId: 'usr_ADA', email: 'ada@example.com', passwordHash: '$argon2id$…' }
const KEY = accountKey(ADA.email)
const NOW_MS = Date.UTC(2026, 0, 1)

test('should store an account with its time when its address has none', (t) => {
  t.alike(registerAccount.keysOf(ADA), [KEY])
  const { changes, answer } = registerAccount.decide(new Map(), ADA, NOW_MS)
  t.ok(answer)
  t.alike(changes, [{ kind: 'put', key: KEY, value: { ...ADA, createdAt: NOW_MS } }])
})

test('should change nothing when the address has an account', (t) => {
  const state = new Map([[KEY, { ...ADA, createdAt: NOW_MS }]])
  const other = { ...ADA, userId: 'usr_EVE' }
  t.alike(registerAccount.decide(state, other, NOW_MS + 1), { changes: [], answer: false })
})

test('should refuse a stored account of another format without showing it', (t) => {
  const account = { ...ADA, createdAt: NOW_MS }
  t.alike(parseAccount(account), account)
  for (const value of [undefined, 'secret', { ...account, extra: 'secret' }]) {
    try {
      parseAccount(value)
      t.fail('it was accepted')
    } catch (error) {
      t.is(Object(error).code, 'INTERNAL')
      t.absent(String(error).includes('secret'))
    }
  }
})
