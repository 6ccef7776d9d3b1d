import test from 'brittle'
import { ThoughtPieces } from '../../../../helpers/chat/thought-pieces.js'

test('should pass on a thought that the server itself separates', (t) => {
  const pieces = new ThoughtPieces()
  t.alike(pieces.thought(''), [])
  t.alike(pieces.answer(''), [])
  t.alike(pieces.thought('Hm'), [{ kind: 'thought', text: 'Hm' }])
  t.alike(pieces.answer('<think>'), [{ text: '<think>' }], 'then the marks are part of the answer')
  t.alike(pieces.end(), [])
})

test('should find a thought in the text of a server that does not separate it', (t) => {
  const pieces = new ThoughtPieces()
  t.alike(pieces.answer('<thi'), [])
  t.alike(pieces.answer('nk>\nHm.\n</think>\n\nYes'), [
    { kind: 'thought', text: 'Hm.' },
    { text: 'Yes' },
  ])
  t.alike(pieces.answer(' </think>'), [{ text: ' </think>' }])
})

test('should let out at the end what was no mark after all', (t) => {
  const pieces = new ThoughtPieces()
  t.alike(pieces.answer('<th'), [])
  t.alike(pieces.end(), [{ text: '<th' }])
})
