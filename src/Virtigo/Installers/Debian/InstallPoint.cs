using System.Text.Json.Serialization;
using Virtigo.Archives;

namespace Virtigo.Installers.Debian;

/// <summary>An installer that was saved where it waits for the appliance's own part: any appliance that shares its way goes on from there.</summary>
/// <param name="Key">What it was made from: 64 lower-case hexadecimal digits over everything that went in.</param>
/// <param name="Way">The part of that which a plan decides: 64 lower-case hexadecimal digits.</param>
/// <param name="Created">When it was saved.</param>
/// <param name="Fetched">What the installer had fetched until then.</param>
internal sealed record InstallPoint(string Key, string Way, DateTimeOffset Created, IReadOnlyList<ProxyRecord> Fetched);

/// <summary>Writes and reads what is remembered of saved installers.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(InstallPoint))]
internal sealed partial class InstallPointJson : JsonSerializerContext;
