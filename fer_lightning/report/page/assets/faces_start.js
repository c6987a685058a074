// The page of one model's faces: its confusion matrix, and the faces at once, for there is nothing else.

replace(byId("confusion"), compareConfusions([runGroup(0)]));
buildFaces().then(() => document.body.classList.add("ready"));
