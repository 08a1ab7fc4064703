// Edits the texts and the picture of a stream, live or past.

import { api } from "../site/api.js";
import { Dialog } from "../parts/dialog.js";
import { Form, Submit } from "../parts/form.js";
import { html, useSignal } from "../parts/html.js";
import { PictureField, StreamWords, WORD_FIELDS } from "../parts/streamwords.js";
import { Refusal, useTask } from "../parts/task.js";

/** @import { Stream } from "../types.js" */

/** @param {{ stream: Stream, onSaved: (stream: Stream) => void, onClose: () => void }} props */
export function EditStream({ stream, onSaved, onClose }) {
  const task = useTask();
  const words = {
    title: useSignal(stream.title),
    description: useSignal(stream.description),
    topics: useSignal(stream.topics.map(({ id }) => id)),
    visibility: useSignal(/** @type {string} */ (stream.visibility)),
  };
  const picture = useSignal(/** @type {Blob | null} */ (null));
  const work = async () => {
    /** @type {Stream} */
    let news = await api.patch(`/streams/${stream.id}`, {
      title: words.title.value, description: words.description.value, topics: words.topics.value, visibility: words.visibility.value,
    });
    if (picture.value) {
      await api.put(`/streams/${stream.id}/thumbnail.jpg`, picture.value);
      news = await api.get(`/streams/${stream.id}`);
    }
    onSaved(news);
    onClose();
  };
  return html`
    <${Dialog} title="Edit stream" onClose=${onClose}>
      <${Form} task=${task} work=${work}>
        <${StreamWords} words=${words} task=${task} />
        <${PictureField} label="Picture" file=${picture} hint="Shown in lists, instead of a picture from the stream." />
        <${Refusal} task=${task} fields=${WORD_FIELDS} />
        <footer><button class="button" type="button" onClick=${onClose}>Cancel</button><${Submit} task=${task}>Save<//></footer>
      <//>
    <//>`;
}
