import test from 'brittle'
import {
  isFetchable,
  redirectTarget,
  shownAddress,
} from '../../../../helpers/http/fetch-address.js'

test('should allow https everywhere and http on this machine when an address is asked about', (t) => {
  const fetchable = [
    'https://example.com/',
    'http://127.0.0.1:8080/',
    'http://localhost/',
    'http://[::1]/',
  ]
  for (const address of fetchable) t.ok(isFetchable(new URL(address)), address)
  const refused = [
    'http://example.com/',
    'http://localhost.example.com/',
    'ftp://127.0.0.1/',
    'file:///x',
  ]
  for (const address of refused) t.absent(isFetchable(new URL(address)), address)
})

test('should follow a redirect only to where it may lead when a server sends one', (t) => {
  const remote = new URL('https://example.com/a/x.gguf')
  const local = new URL('http://127.0.0.1:1/x')
  t.is(redirectTarget(remote, '../y.gguf')?.href, 'https://example.com/y.gguf')
  t.is(redirectTarget(remote, 'https://cdn.example/z?s=1')?.href, 'https://cdn.example/z?s=1')
  t.is(redirectTarget(local, 'http://localhost:2/z')?.href, 'http://localhost:2/z')
  t.is(redirectTarget(local, 'https://example.com/z')?.href, 'https://example.com/z')
  for (const location of [
    'http://example.com/z',
    'http://127.0.0.1/admin',
    'file:///etc/passwd',
    'https://user:word@example.com/',
    'https://',
    '',
  ]) {
    t.is(redirectTarget(remote, location), undefined, location)
  }
})

test('should leave out the query when an address is shown', (t) => {
  t.is(shownAddress(new URL('https://example.com/x?secret=1#a')), 'https://example.com/x')
})
