// Deleting recordings, with a way back.

import { api, asProblem } from "./api.js";
import { toast } from "../parts/toast.js";

/**
 * Deletes recordings, which are hidden at once; Undo brings them back. What goes wrong is told.
 * @param {string} path  below /api/v1: of a recording, or of all of a user
 * @param {(answer: any) => string} inWords  says that it is done
 * @param {() => void} onBack  they are back
 * @returns {Promise<boolean>} whether they are deleted
 */
export async function deleteWithUndo(path, inWords, onBack) {
  const restore = async () => {
    try {
      await api.post(`${path}/restore`);
      onBack();
    } catch (error) {
      toast(asProblem(error).status === 404 ? "The recording is gone for good." : asProblem(error).message);
    }
  };
  try {
    const answer = await api.delete(path);
    toast(inWords(answer), null, { words: "Undo", act: () => void restore() });
    return true;
  } catch (error) {
    toast(asProblem(error).message);
    return false;
  }
}
