"""Problems, their solution formats, and how answers and steps are judged."""
