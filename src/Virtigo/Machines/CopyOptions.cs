namespace Virtigo.Machines;

/// <summary>How files are copied into a machine or out of it.</summary>
public sealed record CopyOptions
{
    /// <summary>How long the copy may take on the reference machine, scaled to this host; after it the copy is given up.</summary>
    public TimeSpan Limit { get; init; } = TimeSpan.FromMinutes(10);
}
