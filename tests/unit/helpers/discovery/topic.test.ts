import test from 'brittle'
import { topicOf } from '../../../../helpers/discovery/topic.js'
import { ROLES } from '../../../../helpers/identity/roles.js'

const secret = Buffer.alloc(32, 1)

test('should give each role of each mesh a topic of its own when it is asked', (t) => {
  const secrets = [secret, Buffer.alloc(32, 2)]
  const topics = secrets.flatMap((of) => ROLES.map((role) => topicOf(of, role)))
  const distinct = new Set(topics.map((topic) => Buffer.from(topic).toString('hex')))
  t.is(distinct.size, 2 * ROLES.length)
  for (const topic of topics) t.is(topic.byteLength, 32)
})

test('should give the same topic when mesh and role are the same', (t) => {
  t.alike(topicOf(secret, 'gateway'), topicOf(Buffer.alloc(32, 1), 'gateway'))
})
