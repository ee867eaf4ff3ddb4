namespace Virtigo.Appliances;

internal static partial class ValueChecks
{
    /// <summary>A medium's path or address. Whether a path may be used is for whoever knows where it was written.</summary>
    public static string? Medium(string value)
    {
        if (value.Length is 0 or > 1000 || value.Any(char.IsControl))
        {
            return "is not a path or URL of a medium";
        }

        return !IsAddress(value) ? null
            : Mirror(value) is not null || !value.EndsWith(".iso", StringComparison.Ordinal)
                ? "is not the address of an ISO image: expected an http or https URL that ends in .iso, without user name, ? and #"
                : null;
    }

    /// <summary>Whether a medium is named by its address.</summary>
    public static bool IsAddress(string medium) => medium.Contains("://", StringComparison.Ordinal);
}
