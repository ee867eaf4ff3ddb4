using System.Globalization;
using System.Text.Json;

namespace Virtigo.Appliances;

/// <summary>An answer to a package's question as a spec gives it.</summary>
/// <param name="Package">The package.</param>
/// <param name="Question">The question.</param>
/// <param name="Type">The question's debconf type.</param>
/// <param name="Value">The answer; for a password also where it is.</param>
/// <param name="Written">Where it is written.</param>
internal sealed record DebconfWish(string Package, string Question, string Type, SecretText Value, YamlText Written);

/// <summary>Answers by package and question, each <c>TYPE VALUE</c>; <c>true</c> and <c>false</c> alone are booleans.</summary>
internal sealed class DebconfType : SettingType
{
    private const int MaxAnswers = 1000;
    private const int MaxLength = 4000;
    private static readonly string[] s_types = ["string", "boolean", "select", "multiselect", "password"];

    public override string Name => "answers by package and question";

    public override object? Read(YamlItem item, SpecKey key, SpecProblems problems)
    {
        if (item is not YamlMap packages)
        {
            WrongType(item, key, problems);
            return null;
        }

        int before = problems.Count;
        var found = new List<DebconfWish>();
        foreach ((YamlText package, YamlItem answers) in packages.Entries)
        {
            if (ValueChecks.Package(package.Value) is { } wrong)
            {
                problems.Add(package, $"debconf: {SpecProblems.Quote(package.Value)} {wrong}");
            }
            else if (answers is not YamlMap questions)
            {
                problems.Add(answers, $"debconf: expected questions of {package.Value} with their answers, as in: {key.Example}");
            }
            else
            {
                found.AddRange(questions.Entries.Select(entry => ReadAnswer(package.Value, entry.Key, entry.Value, problems)).OfType<DebconfWish>());
            }
        }

        if (found.Count > MaxAnswers)
        {
            problems.Add(item, string.Create(CultureInfo.InvariantCulture, $"debconf: {found.Count} answers; expected at most {MaxAnswers}"));
        }

        return problems.Count == before ? (IReadOnlyList<DebconfWish>)found : null;
    }

    public override void WriteSchema(Utf8JsonWriter schema)
    {
        schema.WriteString("type", "object");
        schema.WriteStartObject("additionalProperties");
        schema.WriteString("type", "object");
        schema.WriteStartObject("additionalProperties");
        schema.WriteStartArray("type");
        schema.WriteStringValue("string");
        schema.WriteStringValue("boolean");
        schema.WriteEndArray();
        schema.WriteEndObject();
        schema.WriteEndObject();
    }

    private static DebconfWish? ReadAnswer(string package, YamlText question, YamlItem item, SpecProblems problems)
    {
        if (ValueChecks.Question(question.Value) is { } wrong)
        {
            problems.Add(question, $"debconf: {SpecProblems.Quote(question.Value)} {wrong}");
            return null;
        }

        if (item is not YamlText text)
        {
            problems.Add(item, $"debconf: {question.Value}: expected TYPE VALUE, such as: string mail.example");
            return null;
        }

        string[] parts = text.Value is "true" or "false" ? ["boolean", text.Value] : text.Value.Split(' ', 2);
        (string type, string value) = (parts[0], parts.Length > 1 ? parts[1] : "");
        string? problem = !s_types.Contains(type)
                ? $"expected one of {string.Join(", ", s_types)}, and the answer after it{SpecProblems.Suggest(type, s_types)}"
            : type == "boolean" && value is not ("true" or "false") ? "is followed by neither true nor false"
            : value.Length > MaxLength || value.Any(char.IsControl) || value.EndsWith('\\') || ValueChecks.Content(value) is not null
                ? "is followed by what debconf cannot read: expected one line, without a backslash at its end"
            : type == "password" && value.StartsWith("env:", StringComparison.Ordinal)
                ? "is followed by a variable: only file: and prompt: may give a secret that stands in the image as it is"
            : type == "password" && text.FromVariable ? "has a variable in it, whose value would be shown: write file: or prompt: here"
            : type == "password" && ValueChecks.PasswordOrReference(value) is { } bad ? bad
            : null;
        if (problem is not null)
        {
            // What is written may be a password whose type was forgotten: no message repeats it.
            problems.Add(text, $"debconf: {question.Value}: {(s_types.Contains(type) ? type + " " : "")}{problem}");
            return null;
        }

        return new DebconfWish(package, question.Value, type, new SecretText(value), text);
    }
}

/// <summary><c>true</c>, or a list of texts; <c>false</c> is as if it were not written.</summary>
internal sealed class FlagOrListType(ListType list) : SettingType
{
    public override string Name => $"true, or {list.Name}";

    /// <summary>Reads the list; it is empty for <c>true</c>.</summary>
    public override object? Read(YamlItem item, SpecKey key, SpecProblems problems) => item switch
    {
        YamlText { Value: "true" } => (IReadOnlyList<string>)[],
        YamlText { Value: "false" } => null,
        _ => list.Read(item, key, problems),
    };

    public override void WriteSchema(Utf8JsonWriter schema)
    {
        schema.WriteStartArray("anyOf");
        schema.WriteStartObject();
        schema.WriteString("type", "boolean");
        schema.WriteEndObject();
        schema.WriteStartObject();
        list.WriteSchema(schema);
        schema.WriteEndObject();
        schema.WriteEndArray();
    }
}
