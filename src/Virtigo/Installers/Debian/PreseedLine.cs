namespace Virtigo.Installers.Debian;

/// <summary>One entry of a preseed file, as the installer's own reader (<c>debconf-set-selections</c>) splits it.</summary>
/// <param name="Line">The line it starts on, from 1.</param>
/// <param name="Fields">Owner, question, type and value, as far as present; the value with its blanks at the end.</param>
/// <param name="Columns">The column of each field on the first line, from 1; 0 for a field of a later line.</param>
/// <param name="Gap">The blanks between type and value.</param>
internal sealed record PreseedLine(int Line, IReadOnlyList<string> Fields, IReadOnlyList<int> Columns, string Gap)
{
    /// <summary>The package that the question belongs to.</summary>
    public string Owner => Field(0);

    /// <summary>The question.</summary>
    public string Question => Field(1);

    /// <summary>The type.</summary>
    public string Type => Field(2);

    /// <summary>The value.</summary>
    public string Value => Field(3);

    /// <summary>The column of a field, or of the entry when the field is absent.</summary>
    public int Column(int field) => field < Columns.Count && Columns[field] > 0 ? Columns[field] : Columns[0];

    private string Field(int index) => index < Fields.Count ? Fields[index] : "";
}
