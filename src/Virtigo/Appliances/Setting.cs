namespace Virtigo.Appliances;

/// <summary>What kind of place a value came from.</summary>
public enum OriginKind
{
    /// <summary>Written in the appliance's own file.</summary>
    Spec,

    /// <summary>Given on the command line or by the calling program.</summary>
    Caller,

    /// <summary>Written in the user's configuration file.</summary>
    UserConfig,

    /// <summary>Read from the host's own set-up.</summary>
    Host,

    /// <summary>Answered by the archive.</summary>
    Archive,

    /// <summary>Follows from another value of the plan.</summary>
    Derived,

    /// <summary>Virtigo's own choice.</summary>
    Default,
}

/// <summary>Where a value came from.</summary>
/// <param name="Kind">The kind of place.</param>
/// <param name="Text">The place or the reason, for a person: <c>web.yml:3:7</c>, <c>the archive's stable</c>.</param>
public sealed record Origin(OriginKind Kind, string Text)
{
    /// <summary>The kind and the place in one line.</summary>
    public override string ToString() => Kind switch
    {
        OriginKind.Spec or OriginKind.Caller => Text,
        OriginKind.UserConfig => $"your configuration, {Text}",
        OriginKind.Host => $"host, {Text}",
        OriginKind.Archive => $"archive, {Text}",
        OriginKind.Derived => Text,
        _ => $"default, {Text}",
    };
}

/// <summary>A value and where it came from.</summary>
/// <typeparam name="T">The type of the value.</typeparam>
/// <param name="Value">The value.</param>
/// <param name="Origin">Where it came from.</param>
public sealed record Setting<T>(T Value, Origin Origin);

/// <summary>One line of an explanation: a key, its value as it may be shown, and where the value came from.</summary>
/// <param name="Key">The key as it is written in a spec.</param>
/// <param name="Shown">The value with secrets left out.</param>
/// <param name="Origin">Where the value came from.</param>
public sealed record ExplainedSetting(string Key, string Shown, Origin Origin);
