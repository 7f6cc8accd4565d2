"""Teaching: five tools by which a teacher sees what the local model can do, and makes it better; one implementation."""
