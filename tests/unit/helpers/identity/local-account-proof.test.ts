import test from 'brittle'
import {
  isLocalAccountProof,
  proveLocalAccount,
} from '../../../../helpers/identity/local-account-proof.js'
import { sign } from '../../../../helpers/identity/signature.js'
import { createAccount } from '../../../helpers/factory.js'
import { newKeyPair } from '../../../helpers/network/mesh-authority.js'

const root = newKeyPair()
const mesh = Buffer.from(root.publicKey).toString('hex')
const account = createAccount('local')
const proof = proveLocalAccount(root, account)

test('should be accepted when the root key of the mesh made it for the account', (t) => {
  t.ok(isLocalAccountProof(proof, mesh, account))
})

test('should be worth nothing for anything else', (t) => {
  const other = newKeyPair()
  t.absent(isLocalAccountProof(proof, mesh, { ...account, email: 'mallory@example.com' }))
  t.absent(isLocalAccountProof(proof, mesh, { ...account, password: 'another password' }))
  t.absent(isLocalAccountProof(proof, Buffer.from(other.publicKey).toString('hex'), account))
  t.absent(isLocalAccountProof(proveLocalAccount(other, account), mesh, account))
  const bytes = Buffer.from(JSON.stringify([account.email, account.password]))
  const hello = Buffer.from(sign('starling/hello/1', bytes, root.secretKey)).toString('base64')
  t.absent(isLocalAccountProof(hello, mesh, account), 'signed for another purpose')
  for (const none of ['', 'AAAA', 'no base64']) {
    t.absent(isLocalAccountProof(none, mesh, account))
  }
  t.absent(isLocalAccountProof(proof, 'ab', account))
})
