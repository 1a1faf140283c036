"""Downloads: resumable, checked, unpacked, complete or absent."""
