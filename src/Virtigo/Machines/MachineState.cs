namespace Virtigo.Machines;

/// <summary>Whether a machine runs.</summary>
public enum MachineState
{
    /// <summary>It has no power: never started, shut down, or cut off.</summary>
    Off,

    /// <summary>It runs.</summary>
    Running,

    /// <summary>It stands still; nothing in it notices.</summary>
    Paused,
}
