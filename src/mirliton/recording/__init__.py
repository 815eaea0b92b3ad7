"""What is kept of the sound: recordings of rooms, recorded names of people. Files and documents, no conferences."""
