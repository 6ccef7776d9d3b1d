import test from 'brittle'
import { accountCredentialSchema, emailSchema } from '../../../../helpers/protocol/account.js'

test('should normalize an e-mail address when it is spelled differently', (t) => {
  t.is(emailSchema.parse('  Ada@Example.COM '), 'ada@example.com')
})

test('should refuse an e-mail address when it is none, or endless', (t) => {
  for (const email of ['', 'ada', 'ada@', '@example.com', 'a b@example.com']) {
    t.absent(emailSchema.safeParse(email).success, email)
  }
  t.absent(emailSchema.safeParse(`${'a'.repeat(250)}@example.com`).success)
})

test('should take a password as it is written when its length is allowed', (t) => {
  const email = 'ada@example.com'
  const password = ' Spaces Stay '
  t.is(accountCredentialSchema.parse({ email, password }).password, password)
  t.absent(accountCredentialSchema.safeParse({ email, password: 'x'.repeat(7) }).success)
  t.absent(accountCredentialSchema.safeParse({ email, password: 'x'.repeat(257) }).success)
})
