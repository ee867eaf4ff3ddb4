namespace Virtigo.Appliances;

/// <summary>One key a person can write: the single place that says everything about it.</summary>
internal sealed record SpecKey(string Path, SettingType Type, string Description, string Default, string Range, string Example)
{
    /// <summary>The last part of the path, which is what is written.</summary>
    public string Key => Path[(Path.LastIndexOf('.') + 1)..];

    /// <summary>Whether the value may stand in no message.</summary>
    public bool Secret { get; init; }

    /// <summary>Whether the user's configuration file may set it for all appliances.</summary>
    public bool InConfig { get; init; }
}
