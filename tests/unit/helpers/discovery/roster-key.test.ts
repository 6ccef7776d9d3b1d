import test from 'brittle'
import {
  certifyRosterKey,
  deriveRosterKey,
  isRosterKeyOf,
} from '../../../../helpers/discovery/roster-key.js'
import { RosterAuthority } from '../../../helpers/network/roster-scene.js'

test('should derive the same key again, and another one for each mesh', (t) => {
  const [one, other] = [new RosterAuthority(), new RosterAuthority()]
  t.alike(deriveRosterKey(one.root), one.rosterKey)
  t.unlike(one.rosterKey.publicKey, other.rosterKey.publicKey)
  t.unlike(one.rosterKey.publicKey, one.root.publicKey)
})

test('should accept the key that the root has certified and no other', (t) => {
  const [mesh, other] = [new RosterAuthority(), new RosterAuthority()]
  const certificate = certifyRosterKey(mesh.root, mesh.rosterKey.publicKey)
  t.ok(isRosterKeyOf(mesh.mesh, certificate))
  t.absent(isRosterKeyOf(other.mesh, certificate))
  const { publicKey } = other.rosterKey
  t.absent(isRosterKeyOf(mesh.mesh, { ...certificate, publicKey }))
  t.absent(isRosterKeyOf(mesh.mesh, certifyRosterKey(other.root, mesh.rosterKey.publicKey)))
})
