import { byId, createElement } from "./dom.js";

/**
 * Ask `question` in a dialog with `answers`, each {label, value, style}; resolves to the value of the chosen one, or to
 * null where the dialog was closed. The focus begins at the last answer, which should be the harmless one.
 */
export function ask(question, answers) {
  const dialog = byId("question");
  byId("question-text").textContent = question;
  return new Promise((resolve) => {
    let chosen = null;
    const buttons = answers.map(({ label, value, style = "" }) => {
      const button = createElement("button", { type: "button", className: style, textContent: label });
      button.dataset.answer = value;
      button.addEventListener("click", () => {
        chosen = value;
        dialog.close();
      });
      return button;
    });
    byId("question-answers").replaceChildren(...buttons);
    dialog.addEventListener("close", () => resolve(chosen), { once: true });
    dialog.showModal();
    buttons.at(-1).focus();
  });
}
